import { mkdtemp, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, beforeEach, expect, test } from 'vitest'
import { renewWhereDue, type WantedCertificate } from '../../src/agent/etcd-pki.ts'
import {
  type CertificatePair,
  type CertificateRequest,
  createAuthority,
  issueCertificate,
  verifyPair,
} from '../../src/pki/certificates.ts'

const dayMs = 24 * 3600 * 1000

let authority: CertificatePair
let wanted: WantedCertificate[]
let issued: string[]
beforeAll(async () => {
  authority = await createAuthority('etcd')
})
beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'etcd-pki-'))
  wanted = [
    { base: join(folder, 'server'), request: { commonName: 'a', dnsNames: ['localhost'], usages: 'both' } },
    { base: join(folder, 'client'), request: { commonName: 'client', usages: 'client' } },
  ]
  issued = []
})

/** The clock stands `days` after now. */
const renewAfter = (days: number): Promise<void> =>
  renewWhereDue(wanted, authority, Date.now() + days * dayMs, (by, requests) => {
    issued.push(...requests.map(({ commonName }) => commonName))
    return Promise.all(requests.map((request: CertificateRequest) => issueCertificate(by, request)))
  })
const read = (index: number, end: string): Promise<string> =>
  readFile(`${wanted[index]?.base}.${end}`, 'utf8')

test('made once, and let be while three tenths of their year are left', async () => {
  await renewAfter(0)
  await renewAfter(254)

  expect(issued).toEqual(['a', 'client'])
})

test('renewed after that, each with a key of its own', async () => {
  await renewAfter(0)
  const before = await read(0, 'crt')

  await renewAfter(257)

  expect(issued).toEqual(['a', 'client', 'a', 'client'])
  expect(await read(0, 'crt')).not.toBe(before)
  expect(verifyPair(await read(0, 'crt'), await read(0, 'key'))).toBe(true)
})

test('one that lacks a name is made anew, and no other', async () => {
  await renewAfter(0)
  wanted = wanted.map((one) => ({ ...one, request: { ...one.request, dnsNames: ['localhost'] } }))

  await renewAfter(0)

  expect(issued).toEqual(['a', 'client', 'client'])
})
