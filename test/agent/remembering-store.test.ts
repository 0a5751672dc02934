import { mkdir, readFile, rmdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { type RememberingStore, rememberingStore } from '../../src/agent/remembering-store.ts'
import { openMemoryStore } from '../../src/store/memory.ts'
import { type StateStore, StoreUnavailableError } from '../../src/store/store.ts'
import { scratch } from '../assets/scratch.ts'
import { storeConformance } from '../conformance/store.ts'

storeConformance('one that remembers', async () => rememberingStore(openMemoryStore(), await scratch()))

/** The memory store, with a plug that can be pulled. */
function pluggable(inner: () => StateStore): StateStore & { away: boolean } {
  const ask = <T>(use: (store: StateStore) => Promise<T>): Promise<T> =>
    plug.away ? Promise.reject(new StoreUnavailableError('memory:', 'away')) : use(inner())
  const plug = {
    away: false,
    location: 'memory:',
    get: (key: string) => ask((store) => store.get(key)),
    put: (...args: Parameters<StateStore['put']>) => ask((store) => store.put(...args)),
    delete: (...args: Parameters<StateStore['delete']>) => ask((store) => store.delete(...args)),
    list: (prefix: string) => ask((store) => store.list(prefix)),
    entries: (prefix: string) => ask((store) => store.entries(prefix)),
  }
  return plug
}

let folder: string
let behind: StateStore
let plug: ReturnType<typeof pluggable>
let store: RememberingStore

beforeEach(async () => {
  folder = await scratch()
  behind = openMemoryStore()
  plug = pluggable(() => behind)
  store = rememberingStore(plug, folder)
})

describe('a store that remembers', () => {
  test('answers fresh while the store is there', async () => {
    await behind.put('demo/seats/a.json', 'one')

    const recalled = await store.recall('demo/seats/a.json')

    expect(recalled).toEqual({
      key: 'demo/seats/a.json',
      stored: { value: 'one', revision: 1 },
      fresh: true,
      rolledBack: false,
    })
  })

  test('answers what it saw last while the store is away, in another process too', async () => {
    await behind.put('demo/seats/a.json', 'one')
    await store.recall('demo/seats/a.json')
    plug.away = true

    const after = await rememberingStore(plug, folder).recall('demo/seats/a.json')

    expect(after.stored?.value).toBe('one')
    expect(after.fresh).toBe(false)
    expect(after.rolledBack).toBe(false)
  })

  test('remembers what it wrote itself', async () => {
    await store.put('demo/seats/a.json', 'mine')
    plug.away = true

    const after = await rememberingStore(plug, folder).recall('demo/seats/a.json')

    expect(after.stored).toEqual({ value: 'mine', revision: 1 })
  })

  test('what could not be saved is saved by the next that asks', async () => {
    await behind.put('demo/seats/a.json', 'one')
    const inTheWay = join(folder, '.remembered.json.new')
    await mkdir(inTheWay)
    await expect(store.recall('demo/seats/a.json')).rejects.toThrow(/EISDIR/)
    await rmdir(inTheWay)

    await store.recall('demo/seats/a.json')
    plug.away = true

    const after = await rememberingStore(plug, folder).recall('demo/seats/a.json')
    expect(after.stored?.value).toBe('one')
  })

  test('knows nothing of what it never saw, and says that this is not fresh', async () => {
    plug.away = true

    expect(await store.recall('demo/seats/a.json')).toEqual({
      key: 'demo/seats/a.json',
      fresh: false,
      rolledBack: false,
    })
  })

  test('notices a store that was rolled back, or lost the key, and keeps to what it saw', async () => {
    await behind.put('demo/seats/a.json', 'one')
    await behind.put('demo/seats/a.json', 'two')
    await store.recall('demo/seats/a.json')
    behind = openMemoryStore()

    const lost = await store.recall('demo/seats/a.json')
    await behind.put('demo/seats/a.json', 'one')
    const older = await store.recall('demo/seats/a.json')

    for (const { stored, fresh, rolledBack } of [lost, older]) {
      expect({ value: stored?.value, fresh, rolledBack }).toEqual({
        value: 'two',
        fresh: false,
        rolledBack: true,
      })
    }
  })

  test('only recall answers from memory: whoever wants to change something asks the store', async () => {
    await store.put('demo/seats/a.json', 'one')
    plug.away = true

    await expect(store.get('demo/seats/a.json')).rejects.toThrow(StoreUnavailableError)
    await expect(store.put('demo/seats/a.json', 'two')).rejects.toThrow(StoreUnavailableError)
    await expect(store.list('demo/')).rejects.toThrow(StoreUnavailableError)
  })

  test('lists what it remembers besides what is there', async () => {
    await store.put('demo/seats/a.json', 'a')
    await behind.put('demo/seats/b.json', 'b')
    await behind.put('demo/other.json', 'no seat')

    const there = await store.recallAll('demo/seats/')
    plug.away = true
    const away = await rememberingStore(plug, folder).recallAll('demo/seats/')

    for (const list of [there, away]) expect(list.map(({ stored }) => stored?.value)).toEqual(['a', 'b'])
    expect(away.some(({ fresh }) => fresh)).toBe(false)
  })

  test('in a list, too, a store that was rolled back is noticed key by key', async () => {
    for (const value of ['one', 'two']) await behind.put('demo/seats/a.json', value)
    await behind.put('demo/seats/b.json', 'b')
    await store.recallAll('demo/seats/')
    behind = openMemoryStore()
    await behind.put('demo/seats/b.json', 'b')

    const [a, b] = await store.recallAll('demo/seats/')

    expect(a).toMatchObject({ stored: { value: 'two' }, fresh: false, rolledBack: true })
    expect(b).toMatchObject({ stored: { value: 'b' }, fresh: true, rolledBack: false })
  })

  test('many at once end in one readable file that only root may read', async () => {
    const names = Array.from({ length: 20 }, (_, number) => `demo/seats/s${number}.json`)

    await Promise.all(names.map((name) => store.put(name, name)))

    const file = join(folder, 'remembered.json')
    expect(Object.keys(JSON.parse(await readFile(file, 'utf8'))).sort()).toEqual([...names].sort())
    expect((await stat(file)).mode & 0o777).toBe(0o600)
  })
})
