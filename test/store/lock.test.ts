import { beforeEach, describe, expect, test } from 'vitest'
import { acquireLock, type HeldLock } from '../../src/store/lock.ts'
import { openMemoryStore } from '../../src/store/memory.ts'
import { type PutCondition, type StateStore, StoreUnavailableError } from '../../src/store/store.ts'

const key = 'c/locks/membership.json'
let now = 0
let store: StateStore
beforeEach(() => {
  now = 1_000_000
  store = openMemoryStore()
})

const acquire = (holder: string, on = store) =>
  acquireLock(on, key, { holder, ttlMs: 10_000, nowMs: () => now })
const held = async (holder: string, on = store): Promise<HeldLock> => {
  const outcome = await acquire(holder, on)
  if (!outcome.acquired) throw new Error(`held by ${outcome.heldBy.holder}`)
  return outcome.lock
}

describe('lock in the store', () => {
  test('one holds it, the other learns who', async () => {
    const lock = await held('a')

    expect(await acquire('b')).toMatchObject({
      acquired: false,
      heldBy: { holder: 'a', nonce: lock.nonce, epoch: 1 },
    })
    expect(await lock.stillHeld()).toBe(true)
  })

  test('not even its own holder gets it twice', async () => {
    await held('a')

    expect(await acquire('a')).toMatchObject({ acquired: false })
  })

  test('given back it is free at once, and the epoch grows', async () => {
    await (await held('a')).release()

    expect((await held('b')).epoch).toBe(2)
  })

  test('it expires; the former holder notices and can neither renew nor give back', async () => {
    const former = await held('a')
    now += 10_000
    expect(await former.stillHeld()).toBe(false)

    const lock = await held('b')

    expect(lock.epoch).toBe(2)
    await expect(former.renew()).rejects.toMatchObject({ code: 'store-conflict' })
    await former.release()
    expect(await lock.stillHeld()).toBe(true)
  })

  test('an expired hold cannot be renewed, even if nobody has taken it yet', async () => {
    const lock = await held('a')
    now += 10_001

    await expect(lock.renew()).rejects.toMatchObject({ code: 'store-conflict' })
  })

  test('renewed it lasts on', async () => {
    const lock = await held('a')
    now += 9_000
    await lock.renew()
    now += 9_000

    expect(await lock.stillHeld()).toBe(true)
    expect(await acquire('b')).toMatchObject({ acquired: false })
  })

  test.each(['', 'null', '{}', '{"holder":"a","expiresAtMs":0}'])(
    '%j is no lock, and not taken for free',
    async (text) => {
      await store.put(key, text)

      await expect(acquire('a')).rejects.toMatchObject({ code: 'lock-damaged' })
    },
  )

  test('of 16 who try at once one gets it', async () => {
    const outcomes = await Promise.all(Array.from({ length: 16 }, (_, i) => acquire(`m${i}`)))

    const winners = outcomes.filter((outcome) => outcome.acquired)
    expect(winners).toHaveLength(1)
  })
})

/** Puts time out: before (`lost`) or after (`landed`) they were carried out. */
const timingOut = (inner: StateStore, outcome: 'lost' | 'landed'): StateStore => ({
  ...inner,
  async put(at: string, value: string, condition?: PutCondition) {
    if (outcome === 'landed') await inner.put(at, value, condition)
    throw new StoreUnavailableError(inner.location, 'timed out')
  },
})

describe('lock in the store: a write that timed out', () => {
  test('that landed is won', async () => {
    const lock = await held('a', timingOut(store, 'landed'))

    expect(await lock.stillHeld()).toBe(true)
    expect(await acquire('b')).toMatchObject({ acquired: false, heldBy: { nonce: lock.nonce } })
  })

  test('that was lost is neither won nor lost: the error says so', async () => {
    await expect(acquire('a', timingOut(store, 'lost'))).rejects.toThrow(StoreUnavailableError)
    expect((await held('b')).epoch).toBe(1)
  })
})
