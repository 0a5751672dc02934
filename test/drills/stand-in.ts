import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { createAuthority, issueCertificate } from '../../src/pki/certificates.ts'

/**
 * A stand-in for an apiserver: real TLS and real connections, with namespaces, ConfigMaps, paged
 * lists and Leases in memory. What it does with creates can be changed at any moment.
 */
export interface StandIn {
  readonly address: string
  readonly port: number
  /** `namespace/name`. */
  readonly objects: Set<string>
  readonly namespaces: Set<string>
  readonly leases: Map<string, string>
  behaviour: Behaviour
  pageSize: number
  handshakes: number
  resumedSessions: number
  close(): Promise<void>
}

/** `keep-silent` stores but never answers; `lose` answers 201 without storing; `cut` ends the answer after its head. */
export type Behaviour = 'serve' | 'refuse' | 'hang' | 'error' | 'keep-silent' | 'lose' | 'cut'

export interface StandInPki {
  ca: string
  serverCert: string
  serverKey: string
  clientCert: string
  clientKey: string
}

export async function standInPki(names: {
  dnsNames?: string[]
  ipAddresses?: string[]
}): Promise<StandInPki> {
  const authority = await createAuthority('stand-in')
  const server = await issueCertificate(authority, { commonName: 'server', usages: 'both', ...names })
  const client = await issueCertificate(authority, { commonName: 'drill', usages: 'client' })
  return {
    ca: authority.certPem,
    serverCert: server.certPem,
    serverKey: server.keyPem,
    clientCert: client.certPem,
    clientKey: client.keyPem,
  }
}

export function kubeconfigFor(server: string, pki: StandInPki): string {
  const data = (text: string): string => Buffer.from(text).toString('base64')
  return JSON.stringify({
    'current-context': 'c',
    contexts: [{ name: 'c', context: { cluster: 'k', user: 'u' } }],
    clusters: [{ name: 'k', cluster: { server, 'certificate-authority-data': data(pki.ca) } }],
    users: [
      {
        name: 'u',
        user: { 'client-certificate-data': data(pki.clientCert), 'client-key-data': data(pki.clientKey) },
      },
    ],
  })
}

export async function startStandIn(
  pki: StandInPki,
  listen: { address?: string; port?: number; share?: StandIn } = {},
): Promise<StandIn> {
  const sockets = new Set<Duplex>()
  const server: Server = createServer({
    key: pki.serverKey,
    cert: pki.serverCert,
    ca: pki.ca,
    requestCert: true,
    rejectUnauthorized: true,
  })
  const stand: StandIn = {
    address: listen.address ?? '127.0.0.1',
    port: 0,
    objects: listen.share?.objects ?? new Set(),
    namespaces: listen.share?.namespaces ?? new Set(),
    leases: listen.share?.leases ?? new Map(),
    behaviour: 'serve',
    pageSize: 500,
    handshakes: 0,
    resumedSessions: 0,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy()
        server.close(() => resolve())
      }),
  }
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    if (stand.behaviour === 'refuse') socket.destroy()
  })
  server.on('secureConnection', (socket) => {
    stand.handshakes += 1
    if (socket.isSessionReused()) stand.resumedSessions += 1
  })
  server.on('request', (request, response) => {
    const url = new URL(request.url ?? '/', 'https://stand-in')
    let text = ''
    request.on('data', (chunk: Buffer) => {
      text += chunk.toString()
    })
    request.on('end', () => {
      const reply = answer(stand, { method: request.method ?? 'GET', url, text })
      if (reply === 'silence') return
      if (reply !== 'cut') {
        response.writeHead(reply.status, { 'content-type': 'application/json' })
        response.end(JSON.stringify(reply.body))
        return
      }
      response.writeHead(201, { 'content-length': 1000 })
      response.write('{')
      setTimeout(() => request.socket.destroy(), 20)
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(listen.port ?? 0, stand.address, resolve)
  })
  return Object.assign(stand, { port: (server.address() as AddressInfo).port })
}

function answer(
  stand: StandIn,
  { method, url, text }: { method: string; url: URL; text: string },
): { status: number; body: unknown } | 'silence' | 'cut' {
  const reply = (status: number, body: unknown) => ({ status, body })
  const { behaviour } = stand
  if (behaviour === 'hang') return 'silence'
  if (behaviour === 'error') return reply(503, { message: 'not now' })
  const [, namespace, rest] =
    /^\/api\/v1\/namespaces(?:\/([^/]+))?(?:\/(configmaps))?$/.exec(url.pathname) ?? []
  if (url.pathname.includes('kube-node-lease')) {
    const items = [...stand.leases].map(([name, renewTime]) => ({ metadata: { name }, spec: { renewTime } }))
    return reply(200, { items })
  }
  if (method === 'POST' && !namespace) {
    stand.namespaces.add(JSON.parse(text).metadata.name)
    return reply(201, {})
  }
  if (method === 'DELETE' && namespace) {
    return reply(stand.namespaces.delete(namespace) ? 200 : 404, {})
  }
  if (rest && method === 'POST') {
    const key = `${namespace}/${JSON.parse(text).metadata.name}`
    if (behaviour !== 'lose') stand.objects.add(key)
    if (behaviour === 'keep-silent') return 'silence'
    if (behaviour === 'cut') return 'cut'
    return reply(201, {})
  }
  if (rest && method === 'GET') {
    const limit = Math.min(Number(url.searchParams.get('limit') ?? 500), stand.pageSize)
    const from = Number(url.searchParams.get('continue') ?? 0)
    const all = [...stand.objects].filter((key) => key.startsWith(`${namespace}/`)).sort()
    const items = all.slice(from, from + limit).map((key) => ({ metadata: { name: key.split('/')[1] } }))
    return reply(200, {
      metadata: from + limit < all.length ? { continue: String(from + limit) } : {},
      items,
    })
  }
  return reply(404, {})
}
