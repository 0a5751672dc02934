import type { Role } from '../spec/types.ts'
import { type PutCondition, type StateStore, StoreDeniedError } from './store.ts'

export interface StoreIdentity {
  role: Role
  cluster: string
  group: string
  machineId: string
}

/** `create` is a write with `ifAbsent`. */
export type StoreOperation = 'read' | 'write' | 'create' | 'list' | 'delete'

/**
 * May a machine of this identity do that with this key (or, for `list`, this prefix)? Pure.
 *
 * Masters: everything that the cluster's life needs, but they declare nothing (cluster.yaml, groups)
 * and found the authorities at most once. Workers: what they need to join; never an authority's key. Each machine
 * writes its own heartbeat and no other; masters delete those of machines that are gone.
 */
export function mayUse(identity: StoreIdentity, operation: StoreOperation, key: string): boolean {
  const prefix = `${identity.cluster}/`
  if (!key.startsWith(prefix) || key.split('/').includes('..')) return false
  const path = key.slice(prefix.length)
  if (path === `machines/${identity.machineId}.json` && operation === 'write') return true
  return identity.role === 'master' ? masterMay(operation, path) : workerMay(identity, operation, path)
}

function masterMay(operation: StoreOperation, path: string): boolean {
  const looks = operation === 'read' || operation === 'list'
  if (/^(etcd|seats|locks|join)\//.test(path)) return true
  if (path.startsWith('machines/')) return operation === 'list' || operation === 'delete'
  if (/^pki\/(public|private)\//.test(path)) return looks || operation === 'create'
  return looks && (path === 'cluster.yaml' || /^(groups|operations)\//.test(path))
}

function workerMay(identity: StoreIdentity, operation: StoreOperation, path: string): boolean {
  if (operation === 'list') return path.startsWith('pki/public/')
  if (operation !== 'read') return false
  return (
    path === 'cluster.yaml' ||
    path === 'join/worker.json' ||
    path === `groups/${identity.group}.yaml` ||
    path.startsWith('pki/public/')
  )
}

/** The same store with one machine's rights: what is not its own answers StoreDeniedError. */
export function restrictStore(store: StateStore, identity: StoreIdentity): StateStore {
  const check = (operation: StoreOperation, key: string) => {
    if (!mayUse(identity, operation, key)) throw new StoreDeniedError(key, identity.role)
  }
  const writing = (condition: PutCondition | undefined): StoreOperation =>
    condition && 'ifAbsent' in condition ? 'create' : 'write'
  return {
    location: store.location,
    async get(key) {
      check('read', key)
      return store.get(key)
    },
    async put(key, value, condition) {
      check(writing(condition), key)
      return store.put(key, value, condition)
    },
    async delete(key, condition) {
      check('delete', key)
      return store.delete(key, condition)
    },
    async list(prefix) {
      check('list', prefix)
      return store.list(prefix)
    },
    async entries(prefix) {
      check('list', prefix)
      const found = await store.entries(prefix)
      for (const { key } of found) check('read', key)
      return found
    },
  }
}
