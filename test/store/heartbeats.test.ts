import { beforeEach, describe, expect, test } from 'vitest'
import { describeWaiting, type Heartbeat, readHeartbeat } from '../../src/store/heartbeats.ts'
import { openMemoryStore } from '../../src/store/memory.ts'
import type { StateStore } from '../../src/store/store.ts'

const now = Date.parse('2030-01-01T12:00:00Z')
const said = (waiting: Record<string, string>, secondsAgo = 3): Heartbeat => ({
  machine: 'master-a-1',
  at: new Date(now - secondsAgo * 1000).toISOString(),
  waiting,
})

let store: StateStore
beforeEach(() => {
  store = openMemoryStore()
})
const write = (value: unknown) => store.put('try/machines/master-a-1.json', JSON.stringify(value))
const read = () => readHeartbeat(store, 'try', 'master-a-1')

describe('what a machine said of itself', () => {
  test('is read as it was written', async () => {
    const written = { ...said({ kubelet: 'its certificate' }), seat: 'a' }
    await write(written)

    expect(await read()).toEqual(written)
  })

  test('is undefined where it said nothing', async () => {
    expect(await read()).toBeUndefined()
  })

  test.each(['', 'null', '{}', '{"at":"soon","waiting":{}}', '[1'])(
    'counts as nothing where it cannot be read: %j',
    async (text) => {
      await store.put('try/machines/master-a-1.json', text)

      expect(await read()).toBeUndefined()
    },
  )

  test('is nothing where the store’s file is damaged: no list ends for it', async () => {
    store = { ...store, get: () => Promise.reject(new Error('damaged')) }

    expect(await read()).toBeUndefined()
  })

  test('never reaches a terminal with anything that steers it', async () => {
    await write({ ...said({ 'jo\u001b[2Jin': 'no\r\ntoken\u009b' }), waitingToo: 1 })

    expect((await read())?.waiting).toEqual({ 'jo [2Jin': 'no token ' })
  })
})

describe('in one line', () => {
  test.each([
    [3, '3 s'],
    [-2, '0 s'],
    [119, '119 s'],
    [300, '5 min'],
    [3 * 3600, '3 h'],
  ])('a word of %d s ago is %s old', (seconds, age) => {
    const words = describeWaiting(said({ join: 'no token', images: 'late.tar' }, seconds), now)

    expect(words).toBe(`join: no token; images: late.tar (${age} ago)`)
  })

  test('one that waits for nothing, or said nothing, has none', () => {
    expect(describeWaiting(said({}), now)).toBeUndefined()
    expect(describeWaiting(undefined, now)).toBeUndefined()
  })

  test('a long one is cut', () => {
    expect(describeWaiting(said({ join: 'x'.repeat(1000) }), now)?.length).toBeLessThan(200)
  })
})
