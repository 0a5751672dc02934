import { execFileSync } from 'node:child_process'
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, createServer, type TLSSocket } from 'node:tls'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  type CertificatePair,
  caCertHash,
  certificateInfo,
  createAuthority,
  isIssuedBy,
  issueCertificate,
  verifyPair,
} from '../../src/pki/certificates.ts'

const dayMs = 86_400_000
let authority: CertificatePair
let other: CertificatePair
beforeAll(async () => {
  authority = await createAuthority('kubernetes')
  other = await createAuthority('kubernetes')
})

describe('authority', () => {
  test('is one, for ten years, and begins in the past', () => {
    const info = certificateInfo(authority.certPem)

    expect(info).toMatchObject({ commonName: 'kubernetes', issuer: 'kubernetes', isCa: true, dnsNames: [] })
    expect((info.notAfter.getTime() - Date.now()) / dayMs).toBeCloseTo(3650, 0)
    expect(info.notBefore.getTime()).toBeLessThan(Date.now() - 60_000)
  })

  test('has an ECDSA P-256 key in PKCS#8', () => {
    expect(authority.keyPem).toMatch(/^-----BEGIN PRIVATE KEY-----\n[^-]+-----END PRIVATE KEY-----\n$/)
    expect(createPrivateKey(authority.keyPem).asymmetricKeyDetails).toMatchObject({
      namedCurve: 'prime256v1',
    })
  })

  test("the hash for kubeadm's discovery is the SHA-256 of its public key, as openssl has it", () => {
    const pem = execFileSync('openssl', ['x509', '-pubkey', '-noout'], { input: authority.certPem })
    const der = execFileSync('openssl', ['pkey', '-pubin', '-outform', 'der'], { input: pem })

    expect(caCertHash(authority.certPem)).toBe(`sha256:${createHash('sha256').update(der).digest('hex')}`)
  })
})

describe('issued certificate', () => {
  test('carries every name, once', async () => {
    const issued = await issueCertificate(authority, {
      commonName: 'a.main.example.internal',
      organizations: ['system:masters', 'second'],
      dnsNames: ['a.main.example.internal', 'localhost', 'localhost'],
      ipAddresses: ['127.0.0.1', '10.96.0.1', '127.0.0.1'],
      usages: 'both',
      days: 30,
    })
    const info = certificateInfo(issued.certPem)

    expect(info).toMatchObject({
      commonName: 'a.main.example.internal',
      organizations: ['system:masters', 'second'],
      issuer: 'kubernetes',
      dnsNames: ['a.main.example.internal', 'localhost'],
      ipAddresses: ['127.0.0.1', '10.96.0.1'],
      isCa: false,
    })
    expect((info.notAfter.getTime() - Date.now()) / dayMs).toBeCloseTo(30, 0)
  })

  test('never outlives its authority', async () => {
    const young = await createAuthority('young', { years: 1 })
    const issued = await issueCertificate(young, { commonName: 'x', usages: 'client', days: 3650 })

    expect(certificateInfo(issued.certPem).notAfter).toEqual(certificateInfo(young.certPem).notAfter)
  })

  test('has a serial number of its own', async () => {
    const issue = () => issueCertificate(authority, { commonName: 'x', usages: 'client' })
    const serials = (await Promise.all(Array.from({ length: 10 }, issue))).map(
      (c) => certificateInfo(c.certPem).serial,
    )

    expect(new Set(serials).size).toBe(10)
  })

  test('is known to be of this authority, not of another with the same name', async () => {
    const issued = await issueCertificate(authority, { commonName: 'x', usages: 'client' })

    expect(isIssuedBy(issued.certPem, authority.certPem)).toBe(true)
    expect(isIssuedBy(issued.certPem, other.certPem)).toBe(false)
  })

  test('verifyPair tells a key that belongs from one that does not', () => {
    expect(verifyPair(authority.certPem, authority.keyPem)).toBe(true)
    expect(verifyPair(authority.certPem, other.keyPem)).toBe(false)
    expect(verifyPair('rubbish', authority.keyPem)).toBe(false)
  })

  test.each([
    ['client', 'TLS Web Client Authentication'],
    ['server', 'TLS Web Server Authentication'],
    ['both', 'TLS Web Server Authentication, TLS Web Client Authentication'],
  ] as const)('usage %s satisfies openssl in its strict mode', async (usages, words) => {
    const folder = mkdtempSync(join(tmpdir(), 'hf-pki-'))
    try {
      const issued = await issueCertificate(authority, { commonName: 'x', dnsNames: ['x'], usages })
      writeFileSync(join(folder, 'ca.crt'), authority.certPem)
      writeFileSync(join(folder, 'x.crt'), issued.certPem)
      const run = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, encoding: 'utf8' })

      expect(run('verify', '-x509_strict', '-CAfile', 'ca.crt', 'x.crt')).toContain('x.crt: OK')
      const text = run('x509', '-in', 'x.crt', '-noout', '-ext', 'extendedKeyUsage,keyUsage,basicConstraints')
      expect(text).toContain(`\n    ${words}\n`)
      expect(text).toContain('CA:FALSE')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('serves mutual TLS, and a stranger with the same names is refused', async () => {
    const server = await issueCertificate(authority, {
      commonName: 's',
      dnsNames: ['s.internal'],
      usages: 'server',
    })
    const listener = createServer(
      {
        key: server.keyPem,
        cert: server.certPem,
        ca: authority.certPem,
        requestCert: true,
        rejectUnauthorized: true,
      },
      (socket) => socket.end(String((socket as TLSSocket).getPeerCertificate().subject.CN)),
    )
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
    const address = listener.address()
    const port = typeof address === 'object' && address ? address.port : 0
    const call = async (issuer: CertificatePair) => {
      const { keyPem, certPem } = await issueCertificate(issuer, { commonName: 'me', usages: 'client' })
      const tls = { key: keyPem, cert: certPem, ca: authority.certPem, servername: 's.internal' }
      const socket = connect({ port, host: '127.0.0.1', ...tls })
      let text = ''
      for await (const chunk of socket) text += chunk
      return text
    }
    try {
      expect(await call(authority)).toBe('me')
      expect(await call(other).catch(() => 'refused')).not.toBe('me')
    } finally {
      listener.close()
    }
  })

  test('node reads the same as we do', async () => {
    const issued = await issueCertificate(authority, {
      commonName: 'x',
      ipAddresses: ['fd00::1'],
      usages: 'server',
    })

    expect(new X509Certificate(issued.certPem).checkIP('fd00::1')).toBe('fd00::1')
  })
})
