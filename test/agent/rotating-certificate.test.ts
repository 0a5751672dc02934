import { lstat, mkdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { removeHalfWritten } from '../../src/agent/kubeadm-files.ts'
import { useRotatingCertificate } from '../../src/agent/rotating-certificate.ts'
import { type CertificatePair, createAuthority, issueCertificate } from '../../src/pki/certificates.ts'
import { scratch } from '../assets/scratch.ts'

let ca: CertificatePair
let embedded: CertificatePair
let rotated: CertificatePair
let short: CertificatePair
let stranger: CertificatePair

beforeAll(async () => {
  ca = await createAuthority('kubernetes')
  const request = { commonName: 'system:node:m', organizations: ['system:nodes'], usages: 'client' } as const
  embedded = await issueCertificate(ca, request)
  rotated = await issueCertificate(ca, request)
  short = await issueCertificate(ca, { ...request, days: 30 })
  stranger = await issueCertificate(await createAuthority('another'), request)
})

let root: string
let kubeletConf: string
let pem: string
let first: string
beforeEach(async () => {
  root = await scratch()
  kubeletConf = join(root, 'kubelet.conf')
  pem = join(root, 'kubelet/kubelet-client-current.pem')
  first = join(root, 'kubelet/kubelet-client-first.pem')
  await mkdir(join(root, 'pki'))
  await mkdir(join(root, 'kubelet'))
  await writeFile(join(root, 'pki/ca.crt'), ca.certPem)
  await writeFile(kubeletConf, asKubeadmWrites(embedded))
})

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const asKubeadmWrites = ({ certPem, keyPem }: CertificatePair): string => `apiVersion: v1
kind: Config
current-context: system:node:m@try
clusters:
- name: try
  cluster: {server: "https://10.0.0.1:6443"}
users:
- name: system:node:m
  user:
    client-certificate-data: ${base64(certPem)}
    client-key-data: ${base64(keyPem)}
`
const both = ({ certPem, keyPem }: CertificatePair): string => `${certPem}${keyPem}`
const use = () => useRotatingCertificate({ kubeletConf, pem, authority: join(root, 'pki/ca.crt') })
const conf = async () => parse(await readFile(kubeletConf, 'utf8'))

/** As kubelet leaves it: a link to the newest of its files. */
async function presentIs(text: string): Promise<void> {
  const file = join(root, 'kubelet/kubelet-client-2030-01-01.pem')
  await writeFile(file, text)
  await symlink(file, pem)
}

describe('kubelet.conf as kubeadm wrote it', () => {
  test('points to the file that kubelet rotates, and holds nothing else than before', async () => {
    const before = await conf()

    await use()

    const user = { 'client-certificate': pem, 'client-key': pem }
    expect(await conf()).toEqual({ ...before, users: [{ name: 'system:node:m', user }] })
  })

  test('its certificate and key are what the file begins with, behind a link, for root only', async () => {
    await use()

    expect(await readlink(pem)).toBe(first)
    expect(await readFile(pem, 'utf8')).toBe(both(embedded))
    expect((await lstat(first)).mode & 0o777).toBe(0o600)
    expect(await removeHalfWritten(root)).toEqual([])
  })

  test('a certificate that kubelet has rotated is kept', async () => {
    await presentIs(both(rotated))

    await use()

    expect(await readFile(pem, 'utf8')).toBe(both(rotated))
    expect((await conf()).users[0].user).toEqual({ 'client-certificate': pem, 'client-key': pem })
  })

  test.each([
    ['is cut off', () => rotated.certPem],
    ['is of another authority', () => both(stranger)],
    ['has nearly run out', () => both(short)],
    ['is empty', () => ''],
  ])('one that %s gives way', async (_, text) => {
    await presentIs(text())

    await use()

    expect(await readlink(pem)).toBe(first)
    expect(await readFile(pem, 'utf8')).toBe(both(embedded))
  })

  test('killed between the removal of the old link and the new one, it is done the next time', async () => {
    await writeFile(first, both(rotated))

    await use()

    expect(await readFile(pem, 'utf8')).toBe(both(embedded))
  })
})

test('one that points to the file already stays as it is', async () => {
  await use()
  const before = await readFile(kubeletConf, 'utf8')
  await writeFile(first, both(rotated))

  await use()

  expect(await readFile(kubeletConf, 'utf8')).toBe(before)
  expect(await readFile(pem, 'utf8')).toBe(both(rotated))
})
