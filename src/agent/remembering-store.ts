import { join } from 'node:path'
import { type StateStore, type Stored, StoreUnavailableError } from '../store/store.ts'
import { readIfThere, writeIfChanged } from './files.ts'

/**
 * A store that keeps on this machine's root disk what it last saw, so that a machine which was in
 * the cluster before can boot with the store away. Only `recall` answers from memory.
 */
export interface RememberingStore extends StateStore {
  recall(key: string): Promise<Recalled>
  /** Like `list`, from memory when the store is away. */
  recallAll(prefix: string): Promise<Recalled[]>
}

export interface Recalled {
  key: string
  stored?: Stored
  /** The store itself answered, and with nothing older than what was seen before. */
  fresh: boolean
  /** The store answered with a lower revision than this machine has seen, or without the key. */
  rolledBack: boolean
}

interface Memory {
  [key: string]: Stored
}

export function rememberingStore(store: StateStore, folder: string): RememberingStore {
  const file = join(folder, 'remembered.json')
  let memory: Promise<Memory> | undefined
  let saving: Promise<unknown> = Promise.resolve()
  const load = (): Promise<Memory> => {
    memory ??= readIfThere(file).then((text) => (text ? (JSON.parse(text) as Memory) : {}))
    return memory
  }
  const remember = async (key: string, stored: Stored): Promise<void> => {
    const known = await load()
    const before = known[key]
    // An answer that was on its way while something newer was written is not taken for news.
    if (before && before.revision >= stored.revision) return
    known[key] = stored
    saving = saving.catch(() => {}).then(() => writeIfChanged(file, JSON.stringify(known)))
    await saving
  }
  const recall = async (key: string): Promise<Recalled> => {
    const known = (await load())[key]
    let stored: Stored | undefined
    try {
      stored = await store.get(key)
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error
      return { key, ...(known ? { stored: known } : {}), fresh: false, rolledBack: false }
    }
    const newest = (await load())[key]
    const isOlder = known && (stored?.revision ?? 0) < known.revision
    // The same revision with another content: what was written since was lost, and written anew.
    const differs = newest && stored?.revision === newest.revision && stored.value !== newest.value
    if (known && (isOlder || differs)) {
      return { key, stored: known, fresh: false, rolledBack: true }
    }
    if (stored) await remember(key, stored)
    return { key, ...(stored ? { stored } : {}), fresh: true, rolledBack: false }
  }
  return {
    location: store.location,
    get: (key) => store.get(key),
    delete: (key, condition) => store.delete(key, condition),
    list: (prefix) => store.list(prefix),
    async put(key, value, condition) {
      const revision = await store.put(key, value, condition)
      await remember(key, { value, revision })
      return revision
    },
    recall,
    async recallAll(prefix) {
      const known = Object.keys(await load()).filter((key) => key.startsWith(prefix))
      let listed: string[] = known
      try {
        listed = [...new Set([...known, ...(await store.list(prefix))])].sort()
      } catch (error) {
        if (!(error instanceof StoreUnavailableError)) throw error
      }
      return Promise.all(listed.map(recall))
    },
  }
}
