import { HoldfastError } from '../errors.ts'
import { type AuthorityName, keys } from '../store/keys.ts'
import { type StateStore, StoreConflictError } from '../store/store.ts'
import { type CertificatePair, createAuthority, verifyPair } from './certificates.ts'
import { createServiceAccountKeys, publicPemOf, type ServiceAccountKeys } from './service-account.ts'

/** Everything that must be the same on all masters. */
export interface ClusterPki {
  ca: CertificatePair
  frontProxyCa: CertificatePair
  etcdCa: CertificatePair
  serviceAccount: ServiceAccountKeys
}

/** Common names as kubeadm gives them. */
const commonNames: Record<AuthorityName, string> = {
  ca: 'kubernetes',
  'front-proxy-ca': 'front-proxy-ca',
  'etcd-ca': 'etcd-ca',
}

/**
 * The cluster's authorities, made once. Whoever comes first writes with `ifAbsent`; everybody else
 * reads what was written, so that any number of racing masters end with the same ones.
 * A pair is one record, so certificate and key can never be of two authorities.
 * @throws HoldfastError `pki-damaged`; StoreUnavailableError.
 */
export async function ensureClusterPki(store: StateStore, cluster: string): Promise<ClusterPki> {
  const [ca, frontProxyCa, etcdCa, serviceAccount] = await Promise.all([
    ensureAuthority(store, cluster, 'ca'),
    ensureAuthority(store, cluster, 'front-proxy-ca'),
    ensureAuthority(store, cluster, 'etcd-ca'),
    ensureServiceAccount(store, cluster),
  ])
  return { ca, frontProxyCa, etcdCa, serviceAccount }
}

/** The certificate of an authority, for those who may not see its key; undefined while there is none. */
export async function readAuthorityCertificate(
  store: StateStore,
  cluster: string,
  name: AuthorityName,
): Promise<string | undefined> {
  return (await store.get(keys.publicAuthority(cluster, name)))?.value
}

async function ensureAuthority(
  store: StateStore,
  cluster: string,
  name: AuthorityName,
): Promise<CertificatePair> {
  const key = keys.privateAuthority(cluster, name)
  const text = await createOnce(store, key, async () => {
    const made = await createAuthority(commonNames[name])
    return made.certPem + made.keyPem
  })
  const certPem = block(text, 'CERTIFICATE')
  const keyPem = block(text, 'PRIVATE KEY')
  if (!certPem || !keyPem || !verifyPair(certPem, keyPem)) throw damaged(store, key)
  await createOnce(store, keys.publicAuthority(cluster, name), async () => certPem)
  return { certPem, keyPem }
}

async function ensureServiceAccount(store: StateStore, cluster: string): Promise<ServiceAccountKeys> {
  const key = keys.privateServiceAccount(cluster)
  const text = await createOnce(store, key, async () => (await createServiceAccountKeys()).privatePem)
  const privatePem = block(text, 'RSA PRIVATE KEY')
  if (!privatePem) throw damaged(store, key)
  const publicPem = publicPemOf(privatePem)
  await createOnce(store, keys.publicServiceAccount(cluster), async () => publicPem)
  return { privatePem, publicPem }
}

/** What is stored at `key`; made and stored first when there is nothing. */
async function createOnce(store: StateStore, key: string, make: () => Promise<string>): Promise<string> {
  const found = await store.get(key)
  if (found) return found.value
  const made = await make()
  try {
    await store.put(key, made, { ifAbsent: true })
    return made
  } catch (error) {
    if (!(error instanceof StoreConflictError)) throw error
  }
  const winner = await store.get(key)
  if (!winner) throw damaged(store, key)
  return winner.value
}

const block = (text: string, label: string): string | undefined =>
  new RegExp(`-----BEGIN ${label}-----[^-]+-----END ${label}-----\n`).exec(text)?.[0]

const damaged = (store: StateStore, key: string) =>
  new HoldfastError('pki-damaged', `${key} in ${store.location} holds no matching certificate and key`, {
    remedy: 'Put it back from a backup of the store; a new authority would be trusted by nobody.',
  })
