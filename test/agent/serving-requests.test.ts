import { expect, test } from 'vitest'
import {
  approveServingRequests,
  type KnownRequests,
  type RequestedNames,
  refusalOf,
} from '../../src/agent/serving-requests.ts'
import type { KubeApi } from '../../src/controlplane/api.ts'

const machines = [
  { id: 'node-1', address: '10.0.0.1' },
  { id: 'node-2', address: '10.0.0.2' },
]
const usages = ['key encipherment', 'digital signature', 'server auth']
const asked = (change: Partial<RequestedNames> = {}): RequestedNames => ({
  commonName: 'system:node:node-1',
  dnsNames: ['node-1'],
  ipAddresses: ['10.0.0.1'],
  ...change,
})
const user = 'system:node:node-1'

test.each([
  ['its own name and address', asked(), usages],
  ['only its address', asked({ dnsNames: [] }), usages],
  ['an elliptic key, which needs no encipherment', asked(), ['digital signature', 'server auth']],
])('signed: %s', (_, names, wanted) => {
  expect(refusalOf(user, wanted, names, machines)).toBeUndefined()
})

test.each([
  ['a machine that is dead', 'system:node:node-9', asked({ commonName: 'system:node:node-9' }), /no machine/],
  ['somebody who is no node', 'admin', asked({ commonName: 'admin' }), /no machine/],
  ['a node with a bare name', 'node-1', asked({ commonName: 'node-1' }), /no machine/],
  ['another node’s name as subject', user, asked({ commonName: 'system:node:node-2' }), /asked by/],
  ['another node’s address', user, asked({ ipAddresses: ['10.0.0.1', '10.0.0.2'] }), /10\.0\.0\.2/],
  ['another node’s name', user, asked({ dnsNames: ['node-1', 'node-2'] }), /node-2/],
  ['the endpoint’s name', user, asked({ dnsNames: ['api.demo'] }), /api\.demo/],
  ['nothing at all', user, asked({ dnsNames: [], ipAddresses: [] }), /names nothing/],
])('refused: %s', (_, username, names, why) => {
  expect(refusalOf(username, usages, names, machines)).toMatch(why)
})

test('refused: to be a client too', () => {
  expect(refusalOf(user, [...usages, 'client auth'], asked(), machines)).toMatch(/client auth/)
})

test('a refused request is read once, and signed when its machine is listed after all', async () => {
  const request = (name: string, uid: string) => ({
    metadata: { name, uid },
    spec: { signerName: '', request: '', username: user, usages },
  })
  let items = [request('csr-1', '1'), request('csr-2', '2')]
  const signed: string[] = []
  const api = {
    list: async () => ({ items, resourceVersion: '' }),
    replace: async (path: string) => void signed.push(path),
  } as unknown as KubeApi
  let reads = 0
  const read = async () => {
    reads += 1
    return asked()
  }
  const known: KnownRequests = new Map()

  expect(await approveServingRequests(api, [], known, read)).toHaveLength(2)
  expect(await approveServingRequests(api, [], known, read)).toEqual([
    'csr-1: system:node:node-1 is no machine of this cluster',
    'csr-2: system:node:node-1 is no machine of this cluster',
  ])
  expect(reads).toBe(2)

  items = items.slice(1)
  expect(await approveServingRequests(api, machines, known, read)).toEqual([])
  expect(reads).toBe(2)
  expect(signed).toEqual([expect.stringMatching(/csr-2\/approval$/)])

  items = []
  await approveServingRequests(api, machines, known, read)
  expect(known.size).toBe(0)
})

test('one that cannot be read keeps no other from being signed', async () => {
  const request = (name: string, pem: string) => ({
    metadata: { name, uid: name },
    spec: { signerName: '', request: Buffer.from(pem).toString('base64'), username: user, usages },
  })
  const signed: string[] = []
  const api = {
    list: async () => ({
      items: [request('csr-1', 'rubbish'), request('csr-2', 'good')],
      resourceVersion: '',
    }),
    replace: async (path: string) => void signed.push(path),
  } as unknown as KubeApi
  const read = async (pem: string) => {
    if (pem === 'rubbish') throw new Error('no PEM')
    return asked()
  }

  expect(await approveServingRequests(api, machines, new Map(), read)).toEqual([
    'csr-1: what it asks for cannot be read: no PEM',
  ])
  expect(signed).toEqual([expect.stringMatching(/csr-2\/approval$/)])
})
