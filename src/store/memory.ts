import { checkCondition } from './condition.ts'
import { assertKey } from './keys.ts'
import type { StateStore, Stored } from './store.ts'

/** A store that lives as long as the process: the test double. */
export function openMemoryStore(): StateStore {
  const records = new Map<string, Stored>()
  /** Highest revision that any deleted key had: a re-created key counts on from there. */
  let floor = 0

  return {
    location: 'memory:',
    async get(key) {
      assertKey(key)
      const record = records.get(key)
      return record && { ...record }
    },
    async put(key, value, condition) {
      assertKey(key)
      const found = records.get(key)?.revision
      checkCondition(key, found, condition)
      const revision = (found ?? floor) + 1
      records.set(key, { value, revision })
      return revision
    },
    async delete(key, condition) {
      assertKey(key)
      const found = records.get(key)?.revision
      checkCondition(key, found, condition)
      floor = Math.max(floor, found ?? 0)
      records.delete(key)
    },
    async list(prefix) {
      return [...records.keys()].filter((key) => key.startsWith(prefix)).sort()
    },
    async entries(prefix) {
      return [...records]
        .filter(([key]) => key.startsWith(prefix))
        .map(([key, record]) => ({ key, ...record }))
        .sort((a, b) => (a.key < b.key ? -1 : 1))
    },
  }
}
