import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { withOperationLock } from '../../src/operations/lock.ts'
import { keys } from '../../src/store/keys.ts'
import { bootId, startTimeOf } from '../../src/store/process-lock.ts'
import { type TestOperation, testOperation } from './support.ts'

let setup: TestOperation
beforeEach(() => {
  setup = testOperation()
})
afterEach(() => setup.remove())

const record = (holder: string, expiresAtMs = Date.now() + 60_000) =>
  JSON.stringify({ holder, nonce: 'n', epoch: 1, acquiredAtMs: Date.now(), expiresAtMs })

test('a second operation waits for the first and names its process', async () => {
  const order: string[] = []
  const first = withOperationLock(setup.operation, 'try', async () => {
    order.push('first begins')
    await sleep(300)
    order.push('first ends')
  })
  await sleep(50)

  await withOperationLock(setup.another(), 'try', async () => {
    order.push('second begins')
  })
  await first

  expect(order).toEqual(['first begins', 'first ends', 'second begins'])
  expect(setup.notes()).toEqual([`Waiting for another operation on try to end: process ${process.pid}`])
})

test('the lock of a killed process is taken over at once', async () => {
  const { store } = setup.operation
  await store.put(keys.lock('try', 'operation'), record(`process 4194300 1 ${hostname()} some-former-boot`))

  let ran = false
  await withOperationLock(setup.operation, 'try', async () => {
    ran = true
  })

  expect(ran).toBe(true)
  expect(setup.notes()).toEqual([])
})

describe('a lock whose time is over, as after a suspension of this host,', () => {
  const waiting = async (expiresAtMs: number, start?: string) => {
    start ??= await startTimeOf(process.ppid)
    const holder = `process ${process.ppid} ${start} ${hostname()} ${bootId()}`
    await setup.operation.store.put(keys.lock('try', 'operation'), record(holder, expiresAtMs))
    setTimeout(() => setup.stop.abort(), 100)
    return withOperationLock(setup.operation, 'try', async () => 'taken').catch(({ code }) => code)
  }

  test('is not taken from another process that lives', async () => {
    expect(await waiting(Date.now() - 60_000)).toBe('interrupted')
    expect(setup.notes()).toEqual([`Waiting for another operation on try to end: process ${process.ppid}`])
  })

  test('is taken from one that has ended', async () => {
    expect(await waiting(Date.now() - 60_000, '1')).toBe('taken')
  })

  test('is taken when it was given back', async () => {
    expect(await waiting(0)).toBe('taken')
  })
})

test('a process of another host is believed to live, and the wait ends when asked to', async () => {
  const { store } = setup.operation
  await store.put(keys.lock('try', 'operation'), record('process 77 1 elsewhere some-boot'))
  setTimeout(() => setup.stop.abort(), 100)

  const waiting = withOperationLock(setup.operation, 'try', async () => {})

  await expect(waiting).rejects.toMatchObject({ code: 'interrupted', exitCode: 130 })
  expect(setup.notes()).toEqual(['Waiting for another operation on try to end: process 77 on elsewhere'])
})

test('of a cluster that is there the record stays and counts on, of one that is not nothing does', async () => {
  const { store } = setup.operation
  const key = keys.lock('try', 'operation')
  const epochs: number[] = []
  const hold = () => withOperationLock(setup.operation, 'try', async ({ epoch }) => epochs.push(epoch))

  await hold()
  expect(await store.list('')).toEqual([])
  for (const there of [keys.clusterSpec('try'), keys.deletion('try')]) {
    await store.put(there, '')
    await hold()
    expect(await store.list('')).toEqual([there, key].sort())
    await store.delete(there)
  }

  expect(epochs).toEqual([1, 1, 2])
})

test('operations on different clusters do not wait for each other', async () => {
  await withOperationLock(setup.operation, 'try', async () => {
    await withOperationLock(setup.another(), 'other', async () => {})
  })

  expect(setup.notes()).toEqual([])
})
