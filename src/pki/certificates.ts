import { createHash, createPrivateKey, randomBytes, webcrypto, X509Certificate } from 'node:crypto'

/** PEM texts that belong together. */
export interface CertificatePair {
  certPem: string
  /** PKCS#8. */
  keyPem: string
}

export interface CertificateRequest {
  commonName: string
  organizations?: readonly string[]
  dnsNames?: readonly string[]
  ipAddresses?: readonly string[]
  /** etcd's servers need `both`: its JSON gateway calls the server with the server's own certificate. */
  usages: 'client' | 'server' | 'both'
  /** Default 365. Never longer than the authority itself. */
  days?: number
}

const dayMs = 24 * 60 * 60 * 1000
/** Certificates begin a little in the past, because machines' clocks differ. */
const backdateMs = 5 * 60 * 1000
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

/** The library costs 45 ms and 15 MB: only a process that makes certificates pays for it. */
async function loadX509() {
  await import('reflect-metadata')
  return import('@peculiar/x509')
}

/** A new self-signed authority (ECDSA P-256). */
export async function createAuthority(
  commonName: string,
  options: { years?: number } = {},
): Promise<CertificatePair> {
  const x509 = await loadX509()
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const now = Date.now()
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: [{ CN: [commonName] }],
    notBefore: new Date(now - backdateMs),
    notAfter: new Date(now + (options.years ?? 10) * 365 * dayMs),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { certPem: pem(certificate.toString('pem')), keyPem: await exportKey(keys.privateKey) }
}

/** A new key with a certificate signed by `authority`. */
export async function issueCertificate(
  authority: CertificatePair,
  request: CertificateRequest,
): Promise<CertificatePair> {
  const x509 = await loadX509()
  const issuer = new x509.X509Certificate(authority.certPem)
  const signingKey = await webcrypto.subtle.importKey(
    'pkcs8',
    createPrivateKey(authority.keyPem).export({ format: 'der', type: 'pkcs8' }),
    algorithm,
    false,
    ['sign'],
  )
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const now = Date.now()
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: [
      ...(request.organizations ?? []).map((organization) => ({ O: [organization] })),
      { CN: [request.commonName] },
    ],
    issuer: issuer.subjectName.toJSON(),
    notBefore: new Date(now - backdateMs),
    notAfter: new Date(Math.min(now + (request.days ?? 365) * dayMs, issuer.notAfter.getTime())),
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey,
    extensions: await extensionsFor(x509, request, issuer),
  })
  return { certPem: pem(certificate.toString('pem')), keyPem: await exportKey(keys.privateKey) }
}

type X509Module = Awaited<ReturnType<typeof loadX509>>

async function extensionsFor(
  x509: X509Module,
  request: CertificateRequest,
  issuer: InstanceType<X509Module['X509Certificate']>,
) {
  const usages = [
    ...(request.usages === 'client' ? [] : [x509.ExtendedKeyUsage.serverAuth]),
    ...(request.usages === 'server' ? [] : [x509.ExtendedKeyUsage.clientAuth]),
  ]
  const names = [
    ...unique(request.dnsNames).map((value) => ({ type: 'dns' as const, value })),
    ...unique(request.ipAddresses).map((value) => ({ type: 'ip' as const, value })),
  ]
  return [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension(usages),
    await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
  ]
}

export interface CertificateInfo {
  commonName: string
  organizations: string[]
  /** The issuer's common name. */
  issuer: string
  notBefore: Date
  notAfter: Date
  dnsNames: string[]
  ipAddresses: string[]
  /** Upper-case hexadecimal. */
  serial: string
  isCa: boolean
}

/** @throws Error when `certPem` is no certificate. */
export function certificateInfo(certPem: string): CertificateInfo {
  const certificate = new X509Certificate(certPem)
  const names = certificate.subjectAltName?.split(', ') ?? []
  const named = (prefix: string) =>
    names.filter((n) => n.startsWith(prefix)).map((n) => n.slice(prefix.length))
  return {
    commonName: attributes(certificate.subject, 'CN')[0] ?? '',
    organizations: attributes(certificate.subject, 'O'),
    issuer: attributes(certificate.issuer, 'CN')[0] ?? '',
    notBefore: certificate.validFromDate,
    notAfter: certificate.validToDate,
    dnsNames: named('DNS:'),
    ipAddresses: named('IP Address:'),
    serial: certificate.serialNumber,
    isCa: certificate.ca,
  }
}

/** Does the key belong to the certificate? False also when either is unreadable. */
export function verifyPair(certPem: string, keyPem: string): boolean {
  try {
    return new X509Certificate(certPem).checkPrivateKey(createPrivateKey(keyPem))
  } catch {
    return false
  }
}

/** Was it signed by this authority's very key? Names alone prove nothing. */
export function isIssuedBy(certPem: string, authorityCertPem: string): boolean {
  const authority = new X509Certificate(authorityCertPem)
  const certificate = new X509Certificate(certPem)
  return certificate.checkIssued(authority) && certificate.verify(authority.publicKey)
}

/**
 * `sha256:…` of the certificate's public key: kubeadm's discovery-token-ca-cert-hash (RFC 7469 pin,
 * hexadecimal).
 */
export function caCertHash(certPem: string): string {
  const spki = new X509Certificate(certPem).publicKey.export({ format: 'der', type: 'spki' })
  return `sha256:${createHash('sha256').update(spki).digest('hex')}`
}

const unique = (values: readonly string[] | undefined): string[] => [...new Set(values)]

const attributes = (name: string, attribute: string): string[] =>
  name
    .split('\n')
    .filter((line) => line.startsWith(`${attribute}=`))
    .map((line) => line.slice(attribute.length + 1))

/** 127 random bits, positive and never zero, as RFC 5280 wants. */
function newSerial(): string {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40
  return bytes.toString('hex')
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key))
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
    .export({ format: 'pem', type: 'pkcs8' })
    .toString()
}

const pem = (text: string): string => (text.endsWith('\n') ? text : `${text}\n`)
