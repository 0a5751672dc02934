import { X509Certificate } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { expiryOfKubeconfig, isComplete, removeHalfWritten } from '../../src/agent/kubeadm-files.ts'
import { type CertificatePair, createAuthority, issueCertificate } from '../../src/pki/certificates.ts'

let ca: CertificatePair
let other: CertificatePair
let first: CertificatePair
let second: CertificatePair
let root: string

beforeAll(async () => {
  ;[ca, other] = await Promise.all([createAuthority('kubernetes'), createAuthority('other')])
  const request = { commonName: 'kube-apiserver', usages: 'server' } as const
  ;[first, second] = await Promise.all([issueCertificate(ca, request), issueCertificate(ca, request)])
})

const kubeconfig = ({ certPem, keyPem }: CertificatePair): string => {
  const data = (pem: string) => Buffer.from(pem).toString('base64')
  const user = { 'client-certificate-data': data(certPem), 'client-key-data': data(keyPem) }
  return JSON.stringify({ 'current-context': 'x', users: [{ name: 'x', user }] })
}

const write = (name: string, text: string) => writeFileSync(join(root, name), text)

const writePair = (name: string, { certPem, keyPem }: CertificatePair) => {
  write(`pki/${name}.crt`, certPem)
  write(`pki/${name}.key`, keyPem)
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'hf-kubeadm-'))
  mkdirSync(join(root, 'pki'))
  writePair('ca', ca)
  writePair('front-proxy-ca', other)
  writePair('apiserver', first)
  writePair('apiserver-kubelet-client', second)
  write('admin.conf', kubeconfig(first))
})

describe('before kubeadm runs', () => {
  test('what is whole stays, and what is missing is no matter', async () => {
    expect(await removeHalfWritten(root)).toEqual([])
    expect(readdirSync(join(root, 'pki'))).toHaveLength(8)
  })

  test.each([
    ['a key without its certificate', () => writeFileSync(join(root, 'pki/apiserver.crt'), '')],
    ['a certificate cut off', () => write('pki/apiserver.crt', first.certPem.slice(0, 200))],
    ['the key of another issue', () => write('pki/apiserver.key', second.keyPem)],
    ['a certificate of another authority', () => writePair('ca', other)],
  ])('%s goes, with its other half', async (_what, spoil) => {
    spoil()
    const removed = await removeHalfWritten(root)
    expect(removed).toEqual(expect.arrayContaining(['pki/apiserver.crt', 'pki/apiserver.key']))
    expect(readdirSync(join(root, 'pki'))).not.toContain('apiserver.key')
    expect(readdirSync(join(root, 'pki'))).toContain('ca.key')
  })

  test.each([
    ['empty', ''],
    ['cut off', 'apiVersion: v1\nusers:\n- name: x\n  user: {client-cert'],
    ['without its last lines', 'apiVersion: v1\nclusters: []\n'],
  ])('a kubeconfig that is %s goes', async (_what, text) => {
    write('controller-manager.conf', text)
    expect(await removeHalfWritten(root)).toEqual(['controller-manager.conf'])
    expect(readdirSync(root)).toEqual(expect.arrayContaining(['admin.conf', 'pki']))
  })

  test('kubelet’s, whose certificate is in a file beside it, is looked at too', async () => {
    const pem = join(root, 'kubelet.pem')
    const user = { 'client-certificate': pem, 'client-key': pem }
    write('kubelet.conf', JSON.stringify({ 'current-context': 'x', users: [{ name: 'x', user }] }))
    write('kubelet.pem', first.certPem + first.keyPem)
    expect(await removeHalfWritten(root)).toEqual([])
    write('kubelet.pem', first.certPem + second.keyPem)
    expect(await removeHalfWritten(root)).toEqual(['kubelet.conf'])
  })

  test('all is there but super-admin.conf, which a master does without', async () => {
    writePair('front-proxy-client', first)
    for (const name of ['kubelet.conf', 'controller-manager.conf', 'scheduler.conf']) write(name, '{}')
    expect(await isComplete(root)).toBe(true)
    rmSync(join(root, 'scheduler.conf'))
    expect(await isComplete(root)).toBe(false)
  })

  test('what runs out within 90 days is made again', async () => {
    const inTenMonths = Date.now() + 300 * 24 * 3600 * 1000
    expect(await removeHalfWritten(root, inTenMonths)).toEqual(
      expect.arrayContaining(['pki/apiserver.crt', 'pki/apiserver-kubelet-client.crt', 'admin.conf']),
    )
  })
})

test('when a kubeconfig’s certificate runs out', async () => {
  const notAfter = new X509Certificate(first.certPem).validToDate
  expect(await expiryOfKubeconfig(join(root, 'admin.conf'))).toBe(notAfter.toISOString())

  write('admin.conf', '{}')
  await expect(expiryOfKubeconfig(join(root, 'admin.conf'))).rejects.toThrow(
    /admin.conf holds no certificate/,
  )
})
