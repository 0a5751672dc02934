import { expect, test } from 'vitest'
import { changeSeat, claimSeat, readSeat } from '../../src/agent/claim.ts'
import type { AgentContext } from '../../src/agent/context.ts'
import { rememberingStore } from '../../src/agent/remembering-store.ts'
import type { Machine } from '../../src/clouds/cloud.ts'
import type { SeatRecord } from '../../src/quorum/records.ts'
import { openMemoryStore } from '../../src/store/memory.ts'
import { type StateStore, StoreUnavailableError } from '../../src/store/store.ts'
import { scratch } from '../assets/scratch.ts'

/** A machine of group master-a as the agent sees itself; `alive` is what the cloud lists. */
async function machine(id: string, store: StateStore, alive: string[]): Promise<AgentContext> {
  const folder = await scratch()
  const identity = {
    cluster: 'demo',
    group: 'master-a',
    zone: 'a',
    machineId: id,
    address: `10.0.0.${id.length}`,
  }
  const listed = (): Machine[] => alive.map((one) => ({ id: one, state: 'running' }) as Machine)
  return {
    identity,
    surroundings: { machines: async () => listed() },
    store: rememberingStore(store, folder),
    cluster: {},
    say: () => {},
  } as unknown as AgentContext
}

test('the first claim is epoch 1, and claiming again changes nothing', async () => {
  const store = openMemoryStore()
  const first = await machine('m1', store, ['m1'])

  expect(await claimSeat(first, 'a')).toEqual({ held: true, epoch: 1 })
  expect(await claimSeat(first, 'a')).toEqual({ held: true, epoch: 1 })
  expect((await readSeat(first, 'a'))?.record).toMatchObject({ machine: 'm1', group: 'master-a', zone: 'a' })
})

test('a seat whose holder the cloud lists is never taken', async () => {
  const store = openMemoryStore()
  const alive = ['m1', 'm2']
  await claimSeat(await machine('m1', store, alive), 'a')

  const outcome = await claimSeat(await machine('m2', store, alive), 'a')

  expect(outcome).toMatchObject({ held: false, reason: expect.stringContaining('m1') })
})

test('a dead holder’s seat is taken with a higher epoch, its members as they were', async () => {
  const store = openMemoryStore()
  const dead = await machine('m1', store, ['m1'])
  await claimSeat(dead, 'a')
  const main = { state: 'voter' as const, memberId: 'M1', volumeId: 'vol-a', epoch: 1 }
  await changeSeat(dead, 'a', (record) => ({ ...record, members: { ...record.members, main } }))

  const heir = await machine('m2', store, ['m2'])

  expect(await claimSeat(heir, 'a')).toEqual({ held: true, epoch: 2 })
  expect((await readSeat(heir, 'a'))?.record.members.main).toEqual(main)
  await expect(changeSeat(dead, 'a', (record) => record)).rejects.toMatchObject({ code: 'store-conflict' })
})

test('two machines race for one seat: exactly one wins', async () => {
  for (let round = 0; round < 20; round += 1) {
    const store = openMemoryStore()
    const alive = ['m1', 'm2', 'm3']
    const rivals = await Promise.all(alive.map((id) => machine(id, store, alive)))

    const outcomes = await Promise.all(rivals.map((rival) => claimSeat(rival, 'a')))

    expect(outcomes.filter(({ held }) => held)).toHaveLength(1)
  }
})

test.each([
  ['was written', true],
  ['was not written', false],
])('a claim whose answer was lost and which %s: the nonce tells', async (_, written) => {
  const store = openMemoryStore()
  const losing: StateStore = {
    ...store,
    async put(key, value, condition) {
      if (written) await store.put(key, value, condition)
      throw new StoreUnavailableError('memory:', 'no answer')
    },
  }

  const outcome = await claimSeat(await machine('m1', losing, ['m1']), 'a')

  expect(outcome.held).toBe(written)
})

test('the address of a rebooted machine is written down, under the same claim', async () => {
  const store = openMemoryStore()
  const before = await machine('m1', store, ['m1'])
  await claimSeat(before, 'a')
  const after = { ...before, identity: { ...before.identity, address: '10.0.0.99' } }

  expect(await claimSeat(after, 'a')).toEqual({ held: true, epoch: 1 })
  expect((await readSeat(after, 'a'))?.record.address).toBe('10.0.0.99')
})

test('main and events change their parts of one record at the same time, and both stay', async () => {
  const store = openMemoryStore()
  const it = await machine('m1', store, ['m1'])
  await claimSeat(it, 'a')
  const part = (etcd: 'main' | 'events') => (record: SeatRecord) => ({
    ...record,
    members: { ...record.members, [etcd]: { state: 'voter' as const, memberId: etcd, epoch: 1 } },
  })

  await Promise.all([changeSeat(it, 'a', part('main')), changeSeat(it, 'a', part('events'))])

  const members = (await readSeat(it, 'a'))?.record.members
  expect([members?.main.memberId, members?.events.memberId]).toEqual(['main', 'events'])
})
