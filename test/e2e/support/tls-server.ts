import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import { createServer } from 'node:https'
import { createServer as createTcpServer } from 'node:net'
import * as x509 from '@peculiar/x509'

/** A stand-in for an apiserver: HTTPS, /readyz as told, every other path answers with its name. */
export interface FakeApiserver {
  ready: boolean
  /** How long a readiness check waits for its answer. */
  checkTakesMs: number
  /** How long a connection waits for its TLS handshake to begin. */
  handshakeTakesMs: number
  /** Paths of the readiness checks seen. */
  readonly checked: string[]
  stop(): Promise<void>
}

export async function fakeApiserver(name: string, address: string, port: number): Promise<FakeApiserver> {
  const { key, cert } = await selfSigned(name)
  const state = { ready: true, checkTakesMs: 0, handshakeTakesMs: 0, checked: [] as string[] }
  const https = createServer({ key, cert }, (request, response) => {
    if (request.url?.startsWith('/readyz')) {
      state.checked.push(request.url)
      setTimeout(() => response.writeHead(state.ready ? 200 : 500).end('ok'), state.checkTakesMs)
      return
    }
    if (request.url === '/slow') {
      setTimeout(() => response.end(name), 600)
      return
    }
    if (request.url === '/watch') {
      response.write(`${name}\n`)
      return
    }
    response.end(name)
  })
  const server = createTcpServer((socket) => {
    // Closed by the other side meanwhile.
    socket.on('error', () => {})
    setTimeout(() => https.emit('connection', socket), state.handshakeTakesMs)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, address, resolve)
  })
  return Object.assign(state, {
    stop: async () => {
      https.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  })
}

/** PEM texts of a new key and certificate. */
export async function selfSigned(name: string): Promise<{ key: string; cert: string }> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: `CN=${name}`,
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 3_600_000),
    keys,
    signingAlgorithm: algorithm,
  })
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64')
  return {
    key: `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n`,
    cert: certificate.toString('pem'),
  }
}
