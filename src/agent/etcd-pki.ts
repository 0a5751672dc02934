import { join } from 'node:path'
import { memberHostName } from '../etcd/names.ts'
import type { CertificatePair, CertificateRequest } from '../pki/certificates.ts'
import { certificateInfo, isIssuedBy, verifyPair } from '../pki/certificates.ts'
import { ETCD_NAMES } from '../spec/types.ts'
import { issueApart } from './certificate-process.ts'
import { type AgentContext, folders } from './context.ts'
import { readIfThere, writeIfChanged } from './files.ts'

export const etcdFiles = {
  ca: join(folders.etcdPki, 'ca.crt'),
  clientCert: join(folders.pki, 'apiserver-etcd-client.crt'),
  clientKey: join(folders.pki, 'apiserver-etcd-client.key'),
} as const

/** Renewed when less than this is left. */
const renewBeforeMs = 90 * 24 * 3600 * 1000

/**
 * This master's etcd certificates: one for serving, one among peers, one for the apiserver and the agent.
 * The serving one is also a client's: etcd's JSON gateway calls its own server with it.
 */
export async function ensureEtcdPki(
  context: AgentContext,
  seat: string,
  authority: CertificatePair,
): Promise<void> {
  const { metadata } = context.cluster
  const names = ETCD_NAMES.map((etcd) => memberHostName(metadata.name, etcd, seat))
  const ipAddresses = ['127.0.0.1', context.identity.address]
  await writeIfChanged(etcdFiles.ca, authority.certPem, 0o644)
  const dnsNames = [...names, 'localhost']
  const member = { commonName: seat, dnsNames, ipAddresses, usages: 'both' } as const
  const client = { commonName: 'kube-apiserver-etcd-client', usages: 'client' } as const
  const wanted: Wanted[] = [
    { base: join(folders.etcdPki, 'server'), request: member },
    { base: join(folders.etcdPki, 'peer'), request: member },
    { base: join(folders.pki, 'apiserver-etcd-client'), request: client },
  ]
  const right = await Promise.all(wanted.map((one) => isThere(one, authority)))
  const missing = wanted.filter((_, index) => !right[index])
  if (missing.length === 0) return
  const made = await issueApart(
    authority,
    missing.map(({ request }) => request),
  )
  for (const [index, { base }] of missing.entries()) {
    await writeIfChanged(`${base}.key`, made[index]?.keyPem ?? '', 0o600)
    await writeIfChanged(`${base}.crt`, made[index]?.certPem ?? '', 0o644)
  }
}

interface Wanted {
  /** Path without `.crt` and `.key`. */
  base: string
  request: CertificateRequest
}

async function isThere({ base, request }: Wanted, authority: CertificatePair): Promise<boolean> {
  const [certPem, keyPem] = await Promise.all([readIfThere(`${base}.crt`), readIfThere(`${base}.key`)])
  if (!certPem || !keyPem) return false
  // Killed between the two files, key and certificate are of two issues.
  const belongs = verifyPair(certPem, keyPem) && isIssuedBy(certPem, authority.certPem)
  return belongs && isStillRight(certPem, request)
}

function isStillRight(certPem: string, request: CertificateRequest): boolean {
  const info = certificateInfo(certPem)
  const covers = (have: readonly string[], want: readonly string[] = []) =>
    want.every((name) => have.includes(name))
  return (
    new Date(info.notAfter).getTime() - Date.now() > renewBeforeMs &&
    covers(info.dnsNames, request.dnsNames) &&
    covers(info.ipAddresses, request.ipAddresses)
  )
}
