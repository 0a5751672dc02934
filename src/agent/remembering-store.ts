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
  /** The disk was full, say: memory holds what the file does not. */
  let unsaved = false
  const load = (): Promise<Memory> => {
    memory ??= readIfThere(file).then((text) => (text ? (JSON.parse(text) as Memory) : {}))
    return memory
  }
  const remember = async (key: string, stored: Stored): Promise<void> => {
    const known = await load()
    const before = known[key]
    // An answer that was on its way while something newer was written is not taken for news.
    const isNews = !before || before.revision < stored.revision
    if (isNews) known[key] = stored
    else if (!unsaved) return
    saving = saving.catch(() => {}).then(() => save(known))
    await saving
  }
  const save = async (known: Memory): Promise<void> => {
    unsaved = true
    await writeIfChanged(file, JSON.stringify(known))
    unsaved = false
  }
  /** What the store answered; undefined while it is away. */
  const unlessAway = async <T>(asking: Promise<T>): Promise<{ answer: T } | undefined> => {
    try {
      return { answer: await asking }
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error
      return undefined
    }
  }
  /** `known`: what was remembered before the store was asked. */
  const compare = async (
    key: string,
    known: Stored | undefined,
    answered: { answer: Stored | undefined } | undefined,
  ): Promise<Recalled> => {
    if (!answered) return { key, ...(known ? { stored: known } : {}), fresh: false, rolledBack: false }
    const stored = answered.answer
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
    entries: (prefix) => store.entries(prefix),
    async put(key, value, condition) {
      const revision = await store.put(key, value, condition)
      await remember(key, { value, revision })
      return revision
    },
    async recall(key) {
      const known = (await load())[key]
      return compare(key, known, await unlessAway(store.get(key)))
    },
    async recallAll(prefix) {
      const known = new Map(Object.entries(await load()).filter(([key]) => key.startsWith(prefix)))
      const answered = await unlessAway(store.entries(prefix))
      const found = new Map(
        answered?.answer.map(({ key, value, revision }) => [key, { value, revision }] as const),
      )
      const every = [...new Set([...known.keys(), ...found.keys()])].sort()
      return Promise.all(
        every.map((key) => compare(key, known.get(key), answered && { answer: found.get(key) })),
      )
    },
  }
}
