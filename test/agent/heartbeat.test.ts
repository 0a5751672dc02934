import { beforeEach, expect, test } from 'vitest'
import type { AgentContext } from '../../src/agent/context.ts'
import { heartbeats } from '../../src/agent/heartbeat.ts'
import { restrictStore } from '../../src/store/access.ts'
import { readHeartbeat } from '../../src/store/heartbeats.ts'
import { openMemoryStore } from '../../src/store/memory.ts'
import type { StateStore } from '../../src/store/store.ts'

let store: StateStore
let nowMs: number
let waiting: Record<string, string>
let seat: string | undefined
let beat: () => Promise<void>

beforeEach(() => {
  store = openMemoryStore()
  nowMs = 0
  waiting = {}
  seat = undefined
  const identity = { role: 'node', cluster: 'try', group: 'nodes', machineId: 'w-1' } as const
  const surroundings = { store: () => restrictStore(store, identity) }
  const context = { identity, surroundings } as unknown as AgentContext
  beat = heartbeats(
    context,
    () => waiting,
    () => seat,
    () => nowMs,
  )
})

const written = async () => (await store.get('try/machines/w-1.json'))?.revision

test('what the machine waits for is written, and read again by operators', async () => {
  seat = 'a'
  waiting = { join: 'there is no join token' }

  await beat()

  expect(await readHeartbeat(store, 'try', 'w-1')).toEqual({
    machine: 'w-1',
    at: expect.stringMatching(/^\d{4}-/),
    seat: 'a',
    waiting,
  })
})

test('it is written again when it changed, and every 20 s', async () => {
  await beat()
  nowMs = 20_000
  await beat()
  expect(await written()).toBe(1)

  waiting = { kubelet: 'its certificates' }
  await beat()
  expect(await written()).toBe(2)

  nowMs = 40_001
  await beat()
  expect(await written()).toBe(3)
})

test('what could not be written is written the next time', async () => {
  const { put } = store
  store.put = () => Promise.reject(new Error('the store is away'))
  await expect(beat()).rejects.toThrow('away')
  store.put = put

  await beat()

  expect(await written()).toBe(1)
})
