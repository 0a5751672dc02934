import { HoldfastError } from '../errors.ts'
import type { EtcdName } from '../spec/types.ts'

/** The authorities of a cluster: Kubernetes', the aggregation layer's, etcd's. */
export type AuthorityName = 'ca' | 'front-proxy-ca' | 'etcd-ca'

/** Every key of the state store is made here, so that the layout is written down once. */
export const keys = {
  /** Everything of one cluster starts with this. */
  cluster: (cluster: string) => `${cluster}/`,
  clusterSpec: (cluster: string) => `${cluster}/cluster.yaml`,
  group: (cluster: string, group: string) => `${cluster}/groups/${group}.yaml`,
  groups: (cluster: string) => `${cluster}/groups/`,
  /** Certificate and key of one authority in one record, so that they can never be mixed. */
  privateAuthority: (cluster: string, name: AuthorityName) => `${cluster}/pki/private/${name}.pem`,
  publicAuthority: (cluster: string, name: AuthorityName) => `${cluster}/pki/public/${name}.crt`,
  privateServiceAccount: (cluster: string) => `${cluster}/pki/private/sa.pem`,
  publicServiceAccount: (cluster: string) => `${cluster}/pki/public/sa.pub`,
  genesis: (cluster: string, etcd: EtcdName) => `${cluster}/etcd/${etcd}/genesis.json`,
  backups: (cluster: string, etcd: EtcdName) => `${cluster}/etcd/${etcd}/backups/`,
  backupMeta: (cluster: string, etcd: EtcdName, time: string) =>
    `${cluster}/etcd/${etcd}/backups/${time}/meta.json`,
  backupSnapshot: (cluster: string, etcd: EtcdName, time: string) =>
    `${cluster}/etcd/${etcd}/backups/${time}/snapshot.db`,
  seat: (cluster: string, seat: string) => `${cluster}/seats/${seat}.json`,
  seats: (cluster: string) => `${cluster}/seats/`,
  machine: (cluster: string, machine: string) => `${cluster}/machines/${machine}.json`,
  machines: (cluster: string) => `${cluster}/machines/`,
  lock: (cluster: string, name: string) => `${cluster}/locks/${name}.json`,
  workerJoin: (cluster: string) => `${cluster}/join/worker.json`,
  /** There while the cluster's data is being deleted. */
  deletion: (cluster: string) => `${cluster}/deletion.json`,
  /** Which home of the local cloud has its machines. */
  localHome: (cluster: string) => `${cluster}/local-home.json`,
  operation: (cluster: string, id: string) => `${cluster}/operations/${id}.json`,
  operations: (cluster: string) => `${cluster}/operations/`,
} as const

const keyForm = /^[a-z0-9][a-z0-9._-]*(\/[a-z0-9][a-z0-9._-]*)*$/

/** Files beside the store's own (an editor's backup, say) are none of its keys. */
export const isKey = (key: string): boolean =>
  key.length <= 500 && keyForm.test(key) && key.split('/').every((part) => part.length <= 200)

/**
 * Refuses what could leave the store's folder or meet its own files (both start with a dot).
 * @throws HoldfastError `store-key-invalid`.
 */
export function assertKey(key: string): void {
  if (!isKey(key)) {
    throw new HoldfastError(
      'store-key-invalid',
      `${JSON.stringify(key.slice(0, 100))} is no key of the state store: lower-case words of letters, digits, ".", "_" and "-", separated by "/"`,
      { remedy: 'Choose a name made of lower-case letters, digits, dots and dashes.' },
    )
  }
}
