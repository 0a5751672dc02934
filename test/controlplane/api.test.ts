import { once } from 'node:events'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { fromKubeconfig, type KubeApi, type KubeConnection, kubeApi } from '../../src/controlplane/api.ts'
import { type CertificatePair, createAuthority, issueCertificate } from '../../src/pki/certificates.ts'
import { renderKubeconfig } from '../../src/pki/kubeconfig.ts'

/** A server that speaks as the API server does; what it answers is set by each test. */
type Handler = (request: IncomingMessage & { text: string }, response: ServerResponse) => void

let authority: CertificatePair
let serving: CertificatePair
let client: CertificatePair
let server: Server
let url = ''
let handler: Handler
let api: KubeApi
let folder = ''
let connections = 0
const received: { method: string; url: string; type: string | undefined; text: string; who: string }[] = []

beforeAll(async () => {
  authority = await createAuthority('kubernetes')
  serving = await issueCertificate(authority, {
    commonName: 'api',
    ipAddresses: ['127.0.0.1'],
    usages: 'server',
  })
  client = await issueCertificate(authority, { commonName: 'agent-1', usages: 'client' })
})

const connection = (extra: Partial<KubeConnection> = {}): KubeConnection => ({
  server: url,
  ca: authority.certPem,
  cert: client.certPem,
  key: client.keyPem,
  timeoutMs: 2_000,
  ...extra,
})

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hf-api-'))
  received.splice(0)
  connections = 0
  server = createServer(
    {
      key: serving.keyPem,
      cert: serving.certPem,
      ca: authority.certPem,
      requestCert: true,
      rejectUnauthorized: true,
    },
    async (request, response) => {
      let text = ''
      for await (const chunk of request) text += chunk
      received.push({
        method: request.method ?? '',
        url: request.url ?? '',
        type: request.headers['content-type'],
        text,
        who: String((request.socket as TLSSocket).getPeerCertificate().subject.CN),
      })
      handler(Object.assign(request, { text }), response)
    },
  )
  server.on('secureConnection', () => {
    connections += 1
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  url = `https://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`
  api = kubeApi(connection())
})
afterEach(async () => {
  api.close()
  server.closeAllConnections()
  server.close()
  rmSync(folder, { recursive: true, force: true })
})

const answer =
  (status: number, body: unknown): Handler =>
  (_request, response) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))

const status = (code: number, reason: string, message: string) =>
  answer(code, { kind: 'Status', status: 'Failure', code, reason, message })

describe('verbs', () => {
  test('get, list and raw get, on one connection', async () => {
    handler = answer(200, {
      metadata: { name: 'n1', resourceVersion: '7' },
      items: [{ metadata: { name: 'x' } }],
    })

    expect((await api.get('/api/v1/nodes/n1')).metadata?.name).toBe('n1')
    expect(await api.list('/api/v1/nodes')).toEqual({
      items: [{ metadata: { name: 'x' } }],
      resourceVersion: '7',
    })
    handler = (_request, response) => response.end('ok')
    expect(await api.rawGet('/readyz?exclude=etcd')).toBe('ok')
    expect(connections).toBe(1)
    expect(received.map((request) => request.who)).toEqual(['agent-1', 'agent-1', 'agent-1'])
  })

  test('a kept connection gathers no listeners', async () => {
    handler = answer(200, {})
    const warnings: Error[] = []
    const collect = (warning: Error) => void warnings.push(warning)
    process.on('warning', collect)
    for (let i = 0; i < 30; i += 1) await api.get('/x')
    await new Promise((resolve) => setTimeout(resolve, 10))
    process.off('warning', collect)

    expect(connections).toBe(1)
    expect(warnings).toEqual([])
  })

  test.each([
    ['merge', 'application/merge-patch+json', ''],
    ['strategic', 'application/strategic-merge-patch+json', ''],
    ['json', 'application/json-patch+json', ''],
    ['apply', 'application/apply-patch+yaml', '?fieldManager=holdfast&force=true'],
  ] as const)('patch by %s', async (type, contentType, query) => {
    handler = answer(200, {})
    await api.patch('/api/v1/nodes/n1', { metadata: {} }, { type })

    expect(received[0]).toMatchObject({
      method: 'PATCH',
      url: `/api/v1/nodes/n1${query}`,
      type: contentType,
      text: '{"metadata":{}}',
    })
  })

  test('create, replace and delete', async () => {
    handler = answer(201, { metadata: { uid: 'u' } })
    expect((await api.create('/api/v1/namespaces', { metadata: { name: 'ä' } })).metadata?.uid).toBe('u')
    await api.replace('/api/v1/namespaces/x', {})
    await api.delete('/api/v1/namespaces/x', { propagationPolicy: 'Foreground' })

    expect(received.map(({ method, text }) => `${method} ${text}`)).toEqual([
      'POST {"metadata":{"name":"ä"}}',
      'PUT {}',
      'DELETE {"propagationPolicy":"Foreground"}',
    ])
  })

  test('what is not there: an error, undefined, or nothing to delete', async () => {
    handler = status(404, 'NotFound', 'nodes "n1" not found')

    await expect(api.get('/api/v1/nodes/n1')).rejects.toMatchObject({ status: 404, reason: 'NotFound' })
    expect(await api.tryGet('/api/v1/nodes/n1')).toBeUndefined()
    await api.delete('/api/v1/nodes/n1')
  })
})

describe('failures', () => {
  test('a refusal carries status, reason and message', async () => {
    handler = status(409, 'AlreadyExists', 'leases "x" already exists')

    await expect(api.create('/apis/x', {})).rejects.toMatchObject({
      name: 'KubeApiError',
      status: 409,
      reason: 'AlreadyExists',
      message: expect.stringContaining('leases "x" already exists'),
    })
  })

  test('an answer that is no Status keeps its text', async () => {
    handler = (_request, response) => response.writeHead(503).end('no server is available')

    await expect(api.rawGet('/readyz')).rejects.toMatchObject({
      status: 503,
      reason: 'Http503',
      message: expect.stringContaining('no server is available'),
    })
  })

  test('no answer in time is a Timeout: it may have been carried out', async () => {
    handler = () => {}
    const slow = kubeApi(connection({ timeoutMs: 150 }))

    await expect(slow.create('/x', {})).rejects.toMatchObject({ status: 0, reason: 'Timeout' })
    slow.close()
  })

  test('nobody there, or a stranger, is Unreachable: it was not sent', async () => {
    const nobody = kubeApi(connection({ server: 'https://127.0.0.1:1' }))
    await expect(nobody.create('/x', {})).rejects.toMatchObject({ status: 0, reason: 'Unreachable' })

    const wrongCa = kubeApi(connection({ ca: (await createAuthority('kubernetes')).certPem }))
    await expect(wrongCa.get('/x')).rejects.toMatchObject({ reason: 'Unreachable' })
    expect(received).toEqual([])
  })

  test('a kept connection that died is no failure for a read, and never repeats a change', async () => {
    handler = answer(200, {})
    await api.get('/x')
    handler = (request) => request.socket.destroy()
    await expect(api.create('/x', {})).rejects.toMatchObject({ reason: 'Timeout' })
    expect(received.filter((request) => request.method === 'POST')).toHaveLength(1)

    handler = answer(200, {})
    await api.get('/x')
    handler = (request) => {
      handler = answer(200, { metadata: { name: 'second try' } })
      request.socket.destroy()
    }
    expect((await api.get('/x')).metadata?.name).toBe('second try')
  })
})

describe('watch', () => {
  const line = (type: string, name: string) => `${JSON.stringify({ type, object: { metadata: { name } } })}\n`

  test('hands over events in order, also when they arrive in pieces, and ends with the server', async () => {
    handler = async (_request, response) => {
      const text = line('ADDED', 'a') + line('MODIFIED', 'ä') + line('DELETED', 'a')
      const bytes = Buffer.from(text)
      for (let at = 0; at < bytes.length; at += 17) {
        response.write(bytes.subarray(at, at + 17))
        await new Promise((resolve) => setImmediate(resolve))
      }
      response.end()
    }
    const seen: string[] = []
    await api.watch(
      '/api/v1/nodes',
      (event) => void seen.push(`${event.type} ${event.object.metadata?.name}`),
      {
        resourceVersion: '5',
        timeoutSeconds: 60,
      },
    )

    expect(seen).toEqual(['ADDED a', 'MODIFIED ä', 'DELETED a'])
    expect(received[0]?.url).toBe(
      '/api/v1/nodes?watch=true&allowWatchBookmarks=true&timeoutSeconds=60&resourceVersion=5',
    )
  })

  test('given up by signal it just ends', async () => {
    handler = (_request, response) => void response.write(line('ADDED', 'a'))
    const stop = new AbortController()

    await api.watch('/x', () => stop.abort(), { signal: stop.signal })

    expect(stop.signal.aborted).toBe(true)
  })

  test('an expired resourceVersion is an error that says so', async () => {
    handler = (_request, response) =>
      response.end(
        `${JSON.stringify({ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' } })}\n`,
      )

    await expect(api.watch('/x', () => {})).rejects.toMatchObject({ status: 410, reason: 'Expired' })
  })

  test("the callback's own failure comes through", async () => {
    handler = (_request, response) => void response.write(line('ADDED', 'a'))

    const watching = api.watch('/x', () => {
      throw new RangeError('of the callback')
    })

    await expect(watching).rejects.toThrow(RangeError)
  })
})

describe('credentials', () => {
  test('a rotated file is used for the next request; half a rotation changes nothing', async () => {
    handler = answer(200, {})
    const file = join(folder, 'kubelet-client-current.pem')
    const place = (pair: CertificatePair, certOnly = false) => {
      writeFileSync(`${file}.new`, certOnly ? pair.certPem : pair.certPem + pair.keyPem)
      renameSync(`${file}.new`, file)
    }
    place(client)
    const { cert: _cert, key: _key, ...rest } = connection()
    const rotating = kubeApi({ ...rest, certFile: file, keyFile: file })
    await rotating.get('/x')
    const next = await issueCertificate(authority, { commonName: 'agent-2', usages: 'client' })

    place(next, true)
    await rotating.get('/x')
    place(next)
    await rotating.get('/x')

    expect(received.map((request) => request.who)).toEqual(['agent-1', 'agent-1', 'agent-2'])
    rotating.close()
  })

  test('come from a kubeconfig: data or files beside it', async () => {
    handler = (request, response) => response.end(request.headers.authorization ?? 'certificate')
    const entry = {
      cluster: 'k',
      user: 'u',
      context: 'c',
      server: url,
      caPem: authority.certPem,
      certPem: client.certPem,
      keyPem: client.keyPem,
    }
    const file = join(folder, 'admin.conf')
    writeFileSync(file, renderKubeconfig(entry))
    const admin = await fromKubeconfig(file)
    expect(await admin.rawGet('/x')).toBe('certificate')
    admin.close()

    writeFileSync(join(folder, 'both.pem'), client.certPem + client.keyPem)
    writeFileSync(join(folder, 'ca.crt'), authority.certPem)
    writeFileSync(
      file,
      `current-context: c
clusters: [{name: k, cluster: {server: "${url}", certificate-authority: ca.crt}}]
contexts: [{name: c, context: {cluster: k, user: u}}]
users: [{name: u, user: {client-certificate: both.pem, client-key: both.pem, token: abc}}]
`,
    )
    const kubelet = await fromKubeconfig(file)
    expect(await kubelet.rawGet('/x')).toBe('Bearer abc')
    kubelet.close()
  })

  test.each([
    '',
    'current-context: c\n',
    ': [',
    'contexts: [{name: c, context: {cluster: k}}]\ncurrent-context: c\n',
  ])('a kubeconfig that leads nowhere (%j) is refused, naming the file', async (text) => {
    const file = join(folder, 'admin.conf')
    writeFileSync(file, text)

    await expect(fromKubeconfig(file)).rejects.toMatchObject({
      reason: 'BadKubeconfig',
      message: expect.stringContaining(file),
    })
  })
})
