import { once } from 'node:events'
import { createServer, type Server } from 'node:https'
import { text } from 'node:stream/consumers'
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { pruneEndpoints } from '../../src/agent/endpoints.ts'
import { type KubeApi, kubeApi } from '../../src/controlplane/api.ts'
import { type EtcdClient, etcdClient } from '../../src/etcd/client.ts'
import { type CertificatePair, createAuthority, issueCertificate } from '../../src/pki/certificates.ts'

/** One server stands for the apiserver and for etcd's gateway: the paths differ. */
let authority: CertificatePair
let pair: CertificatePair
let server: Server
let api: KubeApi
let connection: { ca: string; cert: string; key: string }
let url: string
/** The addresses that the Service `kubernetes` leads to; undefined: nobody has written them yet. */
let listed: string[] | undefined
let etcdCalls: string[]
let deleted: string[]

beforeAll(async () => {
  authority = await createAuthority('ca')
  pair = await issueCertificate(authority, { commonName: 'a', ipAddresses: ['127.0.0.1'], usages: 'both' })
})

beforeEach(async () => {
  listed = ['10.0.0.1', '10.0.0.2', '10.0.0.3']
  etcdCalls = []
  deleted = []
  server = createServer({ key: pair.keyPem, cert: pair.certPem }, async (request, response) => {
    const asked = await text(request)
    const answer = (status: number, body: object) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    if (request.url === '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes') {
      return listed
        ? answer(200, { endpoints: listed.map((address) => ({ addresses: [address] })) })
        : answer(404, { kind: 'Status', status: 'Failure', code: 404, reason: 'NotFound' })
    }
    etcdCalls.push(request.url ?? '')
    const { key, range_end } = JSON.parse(asked) as { key: string; range_end?: string }
    deleted.push(`${Buffer.from(key, 'base64')}${range_end ? ' and what follows' : ''}`)
    return answer(200, { deleted: '1' })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  url = `https://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  connection = { ca: authority.certPem, cert: pair.certPem, key: pair.keyPem }
  api = kubeApi({ ...connection, server: url, timeoutMs: 2_000 })
})
afterEach(() => {
  api.close()
  server.closeAllConnections()
  server.close()
})

const openEtcd = async (): Promise<EtcdClient> => etcdClient({ ...connection, endpoints: [url] })
const master = (address: string) => ({ role: 'master', address }) as const
const worker = (address: string) => ({ role: 'node', address }) as const

test('the leases of addresses go that no master has, and no others', async () => {
  await pruneEndpoints(api, [master('10.0.0.1'), worker('10.0.0.2'), master('10.0.0.4')], openEtcd)

  expect(etcdCalls).toEqual(['/v3/kv/deleterange', '/v3/kv/deleterange'])
  expect(deleted).toEqual(['/registry/masterleases/10.0.0.2', '/registry/masterleases/10.0.0.3'])
})

test('where every address is a master’s, etcd is not asked', async () => {
  await pruneEndpoints(
    api,
    ['10.0.0.3', '10.0.0.2', '10.0.0.1'].map((address) => master(address)),
    openEtcd,
  )

  expect(etcdCalls).toEqual([])
})

test('a list without any master proves nobody dead', async () => {
  await pruneEndpoints(api, [], openEtcd)
  await pruneEndpoints(api, [worker('10.0.0.9')], openEtcd)

  expect(etcdCalls).toEqual([])
})

test('while the Service has no addresses, there is nothing to take away', async () => {
  listed = undefined

  await pruneEndpoints(api, [master('10.0.0.1')], openEtcd)

  expect(etcdCalls).toEqual([])
})

test('what etcd does not do is an error: the next round tries again', async () => {
  const closed = async () => etcdClient({ ...connection, endpoints: ['https://127.0.0.1:1'] })

  await expect(pruneEndpoints(api, [master('10.0.0.1')], closed)).rejects.toThrow(/deleterange/)
})
