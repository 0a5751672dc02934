import { beforeEach, describe, expect, test } from 'vitest'
import { HoldfastError } from '../../src/errors.ts'
import { type StateStore, StoreConflictError } from '../../src/store/store.ts'

/** What every StateStore must do. `open` gives a new, empty store each time. */
export function storeConformance(name: string, open: () => Promise<StateStore>): void {
  describe(`${name}: state store`, () => {
    let store: StateStore
    beforeEach(async () => {
      store = await open()
    })

    test('a key that was never written is not there', async () => {
      expect(await store.get('c.example.com/cluster.yaml')).toBeUndefined()
      expect(await store.list('')).toEqual([])
    })

    test('what was put is got, with a revision that grows', async () => {
      const first = await store.put('c/seats/a.json', 'one')
      const second = await store.put('c/seats/a.json', 'zwei\n\nätsch ☃')

      expect(second).toBeGreaterThan(first)
      expect(await store.get('c/seats/a.json')).toEqual({ value: 'zwei\n\nätsch ☃', revision: second })
    })

    test('an empty value is a value', async () => {
      await store.put('c/x', '')

      expect((await store.get('c/x'))?.value).toBe('')
    })

    test('ifAbsent writes once and never over something', async () => {
      await store.put('c/x', 'first', { ifAbsent: true })

      await expect(store.put('c/x', 'second', { ifAbsent: true })).rejects.toThrow(StoreConflictError)
      expect((await store.get('c/x'))?.value).toBe('first')
    })

    test('ifRevision writes only over what was seen', async () => {
      const seen = await store.put('c/x', 'first')
      await store.put('c/x', 'second', { ifRevision: seen })

      await expect(store.put('c/x', 'third', { ifRevision: seen })).rejects.toMatchObject({
        code: 'store-conflict',
        key: 'c/x',
      })
      await expect(store.put('c/none', 'x', { ifRevision: 1 })).rejects.toThrow(StoreConflictError)
      expect((await store.get('c/x'))?.value).toBe('second')
      expect(await store.get('c/none')).toBeUndefined()
    })

    test('delete removes; again is no error, with a revision it is one', async () => {
      const seen = await store.put('c/x', 'first')
      const now = await store.put('c/x', 'second')

      await expect(store.delete('c/x', { ifRevision: seen })).rejects.toThrow(StoreConflictError)
      await store.delete('c/x', { ifRevision: now })
      await store.delete('c/x')
      await expect(store.delete('c/x', { ifRevision: now })).rejects.toThrow(StoreConflictError)
      expect(await store.get('c/x')).toBeUndefined()
    })

    test('a key that is made again counts on: a revision of its former life never matches', async () => {
      const former: number[] = []
      for (const value of ['a', 'b', 'c']) former.push(await store.put('c/x', value))
      await store.delete('c/x')

      const again = await store.put('c/x', 'd', { ifAbsent: true })

      expect(again).toBeGreaterThan(Math.max(...former))
      for (const revision of former) {
        await expect(store.put('c/x', 'stale', { ifRevision: revision })).rejects.toThrow(StoreConflictError)
        await expect(store.delete('c/x', { ifRevision: revision })).rejects.toThrow(StoreConflictError)
      }
      expect((await store.get('c/x'))?.value).toBe('d')
    })

    test('list gives the keys with a prefix, sorted, also in the middle of a word', async () => {
      for (const key of ['c/seats/b.json', 'c/seats/a.json', 'c/seatsx', 'c/groups/n.yaml', 'd/seats/a.json'])
        await store.put(key, key)
      await store.delete('c/groups/n.yaml')

      expect(await store.list('c/seats/')).toEqual(['c/seats/a.json', 'c/seats/b.json'])
      expect(await store.list('c/seats')).toEqual(['c/seats/a.json', 'c/seats/b.json', 'c/seatsx'])
      expect(await store.list('c/seats/a')).toEqual(['c/seats/a.json'])
      expect(await store.list('c/groups/')).toEqual([])
      expect(await store.list('none/')).toEqual([])
      expect(await store.list('')).toHaveLength(4)
    })

    test('entries gives what list names, with value and revision, sorted', async () => {
      await store.put('c/seats/b.json', 'b')
      await store.put('c/seats/a.json', 'old')
      const revision = await store.put('c/seats/a.json', 'a')
      await store.put('c/seatsx', 'no seat')

      const found = await store.entries('c/seats/')

      expect(found.map(({ key, value }) => [key, value])).toEqual([
        ['c/seats/a.json', 'a'],
        ['c/seats/b.json', 'b'],
      ])
      expect(found[0]?.revision).toBe(revision)
      expect(await store.entries('none/')).toEqual([])
    })

    test.each([
      '',
      '/',
      'a/',
      '/a',
      'a//b',
      '../a',
      'a/../b',
      'a/.hidden',
      'A',
      'ä',
      'a b',
      'a\0b',
      `${'a'.repeat(201)}`,
    ])('refuses the key %j', async (key) => {
      const act = async () => store.put(key, 'x')

      await expect(act()).rejects.toThrow(HoldfastError)
      await expect(act()).rejects.toMatchObject({ code: 'store-key-invalid' })
    })

    test('of 16 racing writers exactly one wins each round', async () => {
      let revision = await store.put('c/race', 'start')
      for (let round = 0; round < 8; round += 1) {
        const outcomes = await Promise.allSettled(
          Array.from({ length: 16 }, (_, writer) =>
            store.put('c/race', `${round}/${writer}`, { ifRevision: revision }),
          ),
        )

        const won = outcomes.flatMap((outcome, writer) => (outcome.status === 'fulfilled' ? [writer] : []))
        expect(won).toHaveLength(1)
        const now = await store.get('c/race')
        expect(now?.value).toBe(`${round}/${won[0]}`)
        for (const outcome of outcomes)
          if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(StoreConflictError)
        revision = now?.revision ?? 0
      }
    })

    test('of 16 who create the same key exactly one wins', async () => {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 16 }, (_, writer) => store.put('c/once', String(writer), { ifAbsent: true })),
      )

      expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1)
    })
  })
}
