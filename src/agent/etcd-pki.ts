import { join } from 'node:path'
import { messageOf } from '../errors.ts'
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

/** Renewed when less than this part of a certificate's life is left. */
const renewBelow = 0.3
const lookEveryMs = 24 * 3600 * 1000

/**
 * This master's etcd certificates: one for serving, one among peers, one for the apiserver and the agent.
 * The serving one is also a client's: etcd's JSON gateway calls its own server with it. Once they are there
 * they are looked at every day. etcd and the apiserver read them anew for each connection that they make or
 * take (`baseConfig` in etcd's client/pkg/transport), so nothing is started again.
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
  const wanted: WantedCertificate[] = [
    { base: join(folders.etcdPki, 'server'), request: member },
    { base: join(folders.etcdPki, 'peer'), request: member },
    { base: join(folders.pki, 'apiserver-etcd-client'), request: client },
  ]
  await renewWhereDue(wanted, authority)
  setInterval(() => {
    void renewWhereDue(wanted, authority).then(
      () => context.say('etcd certificates', undefined),
      (error: unknown) => context.say('etcd certificates', `not renewed: ${messageOf(error)}`),
    )
  }, lookEveryMs)
}

/** Makes those anew that are missing, wrong, or near their end at `now` (milliseconds). */
export async function renewWhereDue(
  wanted: readonly WantedCertificate[],
  authority: CertificatePair,
  now = Date.now(),
  issue = issueApart,
): Promise<void> {
  const right = await Promise.all(wanted.map((one) => isThere(one, authority, now)))
  const due = wanted.filter((_, index) => !right[index])
  if (due.length === 0) return
  const made = await issue(
    authority,
    due.map(({ request }) => request),
  )
  for (const [index, { base }] of due.entries()) {
    await writeIfChanged(`${base}.key`, made[index]?.keyPem ?? '', 0o600)
    await writeIfChanged(`${base}.crt`, made[index]?.certPem ?? '', 0o644)
  }
}

export interface WantedCertificate {
  /** Path without `.crt` and `.key`. */
  base: string
  request: CertificateRequest
}

async function isThere(
  { base, request }: WantedCertificate,
  authority: CertificatePair,
  now: number,
): Promise<boolean> {
  const [certPem, keyPem] = await Promise.all([readIfThere(`${base}.crt`), readIfThere(`${base}.key`)])
  if (!certPem || !keyPem) return false
  // Killed between the two files, key and certificate are of two issues.
  const belongs = verifyPair(certPem, keyPem) && isIssuedBy(certPem, authority.certPem)
  return belongs && isStillRight(certPem, request, now)
}

function isStillRight(certPem: string, request: CertificateRequest, now: number): boolean {
  const info = certificateInfo(certPem)
  const covers = (have: readonly string[], want: readonly string[] = []) =>
    want.every((name) => have.includes(name))
  const [begin, end] = [info.notBefore.getTime(), info.notAfter.getTime()]
  return (
    end - now > renewBelow * (end - begin) &&
    covers(info.dnsNames, request.dnsNames) &&
    covers(info.ipAddresses, request.ipAddresses)
  )
}
