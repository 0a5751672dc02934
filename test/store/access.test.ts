import { describe, expect, test } from 'vitest'
import { mayUse, restrictStore, type StoreIdentity, type StoreOperation } from '../../src/store/access.ts'
import { openMemoryStore } from '../../src/store/memory.ts'

const master: StoreIdentity = { role: 'master', cluster: 'c', group: 'master-a', machineId: 'm-1' }
const worker: StoreIdentity = { role: 'node', cluster: 'c', group: 'nodes', machineId: 'w-1' }

/** r read, w write, c create, l list, d delete. */
const letters: Record<string, StoreOperation> = { r: 'read', w: 'write', c: 'create', l: 'list', d: 'delete' }
const rights = (identity: StoreIdentity, key: string) =>
  Object.keys(letters)
    .filter((letter) => mayUse(identity, letters[letter] ?? 'read', key))
    .join('')

describe('who may use what', () => {
  test.each([
    ['c/cluster.yaml', 'rl', 'r'],
    ['c/groups/nodes.yaml', 'rl', 'r'],
    ['c/groups/master-a.yaml', 'rl', ''],
    ['c/pki/public/ca.crt', 'rcl', 'rl'],
    ['c/pki/private/ca.pem', 'rcl', ''],
    ['c/pki/private/', 'rcl', ''],
    ['c/etcd/main/genesis.json', 'rwcld', ''],
    ['c/seats/a.json', 'rwcld', ''],
    ['c/locks/membership.json', 'rwcld', ''],
    ['c/join/worker.json', 'rwcld', 'r'],
    ['c/join/other.json', 'rwcld', ''],
    ['c/machines/w-1.json', 'ld', 'w'],
    ['c/machines/w-2.json', 'ld', ''],
    ['c/machines/m-1.json', 'wld', ''],
    ['c/machines/', 'ld', ''],
    ['c/operations/1.json', 'rl', ''],
    ['c/anything', '', ''],
    ['c/', '', ''],
    ['', '', ''],
    ['cc/seats/a.json', '', ''],
    ['other/pki/public/ca.crt', '', ''],
    ['c/pki/public/../private/ca.pem', '', ''],
    ['c/machines/../pki/private/ca.pem', '', ''],
  ])('%s: master "%s", worker "%s"', (key, masters, workers) => {
    expect(rights(master, key)).toBe(masters)
    expect(rights(worker, key)).toBe(workers)
  })

  test('a restricted store refuses and leaves everything as it was', async () => {
    const store = openMemoryStore()
    await store.put('c/pki/private/ca.pem', 'secret')
    const mine = restrictStore(store, worker)

    await mine.put('c/machines/w-1.json', '{}')

    await expect(mine.get('c/pki/private/ca.pem')).rejects.toMatchObject({ code: 'store-denied' })
    await expect(mine.put('c/seats/a.json', '{}')).rejects.toMatchObject({ code: 'store-denied' })
    await expect(mine.delete('c/machines/w-2.json')).rejects.toMatchObject({ code: 'store-denied' })
    await expect(mine.list('c/')).rejects.toMatchObject({ code: 'store-denied' })
    await expect(mine.entries('c/')).rejects.toMatchObject({ code: 'store-denied' })
    expect(await store.list('')).toEqual(['c/machines/w-1.json', 'c/pki/private/ca.pem'])
  })

  test('a master founds an authority once and never replaces it', async () => {
    const mine = restrictStore(openMemoryStore(), master)
    await mine.put('c/pki/private/ca.pem', 'first', { ifAbsent: true })

    await expect(mine.put('c/pki/private/ca.pem', 'second')).rejects.toMatchObject({ code: 'store-denied' })
    await expect(mine.put('c/pki/private/ca.pem', 'second', { ifAbsent: true })).rejects.toMatchObject({
      code: 'store-conflict',
    })
  })
})
