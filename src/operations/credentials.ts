import { readFile, rm, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { writeDurably } from '../durable-file.ts'
import { HoldfastError, isErrno } from '../errors.ts'
import { makeFolder } from '../folders.ts'
import type { Home } from '../home.ts'
import { type CertificatePair, certificateInfo, issueCertificate } from '../pki/certificates.ts'
import { ensureClusterPki } from '../pki/cluster-pki.ts'
import type { Operation } from './operation.ts'

/** What an operator proves with: certificates issued from the store's authorities. */
export interface OperatorCredentials {
  /** Cluster administrator of Kubernetes. */
  admin: CertificatePair
  caPem: string
  /** Client of both etcd clusters. */
  etcd: CertificatePair
  etcdCaPem: string
}

const renewBeforeMs = 30 * 24 * 3600 * 1000

/**
 * Issued once and kept below the home (0600), because making them takes longer than a check may;
 * made again when the authorities are others or they are about to expire.
 * @throws HoldfastError `cluster-not-made` while there is no PKI.
 */
export async function operatorCredentials(
  operation: Operation,
  cluster: string,
): Promise<OperatorCredentials> {
  const { readAuthorityCertificate } = await import('../pki/cluster-pki.ts')
  const [caPem, etcdCaPem] = await Promise.all([
    readAuthorityCertificate(operation.store, cluster, 'ca'),
    readAuthorityCertificate(operation.store, cluster, 'etcd-ca'),
  ])
  if (!caPem || !etcdCaPem) throw clusterNotMade(cluster)
  const file = join(credentialsFolder(operation.home, cluster), 'operator.json')
  const kept = await readKept(file)
  if (kept && kept.caPem === caPem && kept.etcdCaPem === etcdCaPem && isFresh(kept)) return kept
  const pki = await ensureClusterPki(operation.store, cluster)
  const made: OperatorCredentials = {
    admin: await issueCertificate(pki.ca, {
      commonName: 'kubernetes-admin',
      organizations: ['kubeadm:cluster-admins'],
      usages: 'client',
    }),
    caPem: pki.ca.certPem,
    etcd: await issueCertificate(pki.etcdCa, { commonName: 'holdfast-operator', usages: 'client' }),
    etcdCaPem: pki.etcdCa.certPem,
  }
  await writePrivate(file, JSON.stringify(made))
  return made
}

export const credentialsFolder = (home: Home, cluster: string): string =>
  join(home.dir, 'credentials', cluster)

/** Forgets what was kept; part of deleting a cluster. */
export async function forgetCredentials(home: Home, cluster: string): Promise<void> {
  const folder = credentialsFolder(home, cluster)
  await rm(folder, { recursive: true, force: true })
  try {
    await rmdir(dirname(folder))
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENOTEMPTY', 'EEXIST')) throw error
  }
}

/** Readable by the owner only. */
export async function writePrivate(file: string, text: string): Promise<void> {
  makeFolder(dirname(file))
  await writeDurably(file, text)
}

export const clusterNotMade = (cluster: string) =>
  new HoldfastError('cluster-not-made', `Cluster ${cluster} is declared, but nothing of it is made yet`, {
    remedy: `Make it with \`holdfast update cluster ${cluster} --yes\`.`,
    exitCode: 3,
  })

const isFresh = (kept: OperatorCredentials): boolean =>
  [kept.admin, kept.etcd].every(
    ({ certPem }) => certificateInfo(certPem).notAfter.getTime() - Date.now() > renewBeforeMs,
  )

async function readKept(file: string): Promise<OperatorCredentials | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as OperatorCredentials
  } catch (error) {
    if (isErrno(error, 'ENOENT') || error instanceof SyntaxError) return undefined
    throw error
  }
}
