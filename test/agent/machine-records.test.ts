import { beforeEach, expect, test } from 'vitest'
import type { AgentContext } from '../../src/agent/context.ts'
import { forgetDeadMachines } from '../../src/agent/machine-records.ts'
import { restrictStore } from '../../src/store/access.ts'
import { openMemoryStore } from '../../src/store/memory.ts'
import type { StateStore } from '../../src/store/store.ts'

let store: StateStore
let alive: string[]
let lists: number
let drop: () => Promise<void>

beforeEach(async () => {
  store = openMemoryStore()
  lists = 0
  const identity = { role: 'master', cluster: 'try', group: 'master-a', machineId: 'm-1' } as const
  const mine = restrictStore(store, identity)
  const machines = async () => alive.map((id) => ({ id }))
  const list = (prefix: string) => {
    lists += 1
    return mine.list(prefix)
  }
  const dropRecords = forgetDeadMachines({
    identity,
    surroundings: { machines },
    store: { ...mine, list },
  } as unknown as AgentContext)
  drop = async () => dropRecords(await machines())
  for (const id of ['m-1', 'm-2', 'w-1']) await store.put(`try/machines/${id}.json`, '{}')
  await store.put('try/seats/a.json', '{}')
  await store.put('other/machines/gone.json', '{}')
})

test('what a machine said goes once the cloud lists it no more, and nothing else does', async () => {
  alive = ['m-1', 'w-1']

  await drop()

  expect(await store.list('')).toEqual([
    'other/machines/gone.json',
    'try/machines/m-1.json',
    'try/machines/w-1.json',
    'try/seats/a.json',
  ])
})

test('the store is asked when machines came or went, and not otherwise', async () => {
  alive = ['m-1', 'm-2', 'w-1']
  for (let round = 0; round < 5; round += 1) await drop()
  alive = ['w-1', 'm-2', 'm-1']
  await drop()
  expect(lists).toBe(1)

  alive = ['m-1', 'w-1']
  await drop()

  expect(lists).toBe(2)
  expect(await store.get('try/machines/m-2.json')).toBeUndefined()
})

test('a machine that came after the others were listed keeps its word', async () => {
  alive = ['m-1', 'm-2']
  const before = drop()
  alive.push('w-1')

  await before

  expect(await store.get('try/machines/w-1.json')).toBeDefined()
})

test('what could not be done is done the next time', async () => {
  alive = ['m-1', 'w-1']
  const { delete: remove } = store
  store.delete = () => Promise.reject(new Error('the store is away'))
  await expect(drop()).rejects.toThrow('away')
  store.delete = remove

  await drop()

  expect(await store.get('try/machines/m-2.json')).toBeUndefined()
})
