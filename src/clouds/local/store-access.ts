import type { PutCondition, StateStore } from '../../store/store.ts'
import { StoreDeniedError } from '../../store/store.ts'

/** Who asks; the socket a request came through says so, never the request. */
export interface StoreCaller {
  role: 'master' | 'node'
  group: string
  cluster: string
  machineId: string
}

/** The rule is `mayUse` of src/store/access.ts. */
export type StoreRule = (caller: StoreCaller, operation: 'read' | 'write' | 'list', key: string) => boolean

/** `store` with the rights of one machine: everything else answers StoreDeniedError. */
export function storeWithRights(store: StateStore, caller: StoreCaller, mayUse: StoreRule): StateStore {
  const demand = (operation: 'read' | 'write' | 'list', key: string) => {
    if (!mayUse(caller, operation, key)) throw new StoreDeniedError(key, caller.role)
  }
  return {
    location: store.location,
    async get(key) {
      demand('read', key)
      return await store.get(key)
    },
    async put(key: string, value: string, condition?: PutCondition) {
      demand('write', key)
      return await store.put(key, value, condition)
    },
    async delete(key, condition) {
      demand('write', key)
      await store.delete(key, condition)
    },
    async list(prefix) {
      demand('list', prefix)
      return await store.list(prefix)
    },
  }
}
