import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openFileStore } from '../../src/store/file.ts'
import { newFolder } from '../store/new-folder.ts'

const writer = join(import.meta.dirname, 'support/file-writer.ts')
const start = (...args: string[]): ChildProcess =>
  spawn(process.execPath, [writer, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })

describe('file store: several processes', () => {
  test('four processes increment a counter and none is lost', async () => {
    const folder = newFolder()
    const children = Array.from({ length: 4 }, () => start('race', folder, 'c/counter', '25'))
    const codes = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0]))

    expect(codes).toEqual([0, 0, 0, 0])
    expect((await openFileStore(folder).get('c/counter'))?.value).toBe('100')
  })

  test('killed in the middle of writes 30 times, it always holds an old or a new value', async () => {
    const folder = newFolder()
    const store = openFileStore(folder)
    // One child after another writes; each is killed at another moment after its first write.
    let last = 0
    for (let round = 0; round < 30; round += 1) {
      const child = start('write', folder, 'c/x')
      let acknowledged = 0
      child.stdout?.on('data', (chunk: Buffer) => {
        acknowledged = Number(chunk.toString().trim().split('\n').at(-1))
      })
      if (child.stdout) await once(child.stdout, 'data')
      await new Promise((resolve) => setTimeout(resolve, (round * 7) % 23))
      child.kill('SIGKILL')
      await once(child, 'close')

      const found = await store.get('c/x')
      expect(found?.value).toMatch(new RegExp(`^${child.pid} x{20000} \\d+$`))
      expect(found?.revision).toBeGreaterThanOrEqual(acknowledged)
      expect(found?.revision).toBeGreaterThan(last)
      last = found?.revision ?? 0
      await store.get('c/x-other')
    }

    await store.put('c/x', 'still writable', { ifRevision: last })
    expect(readdirSync(join(folder, '.holdfast')).filter((name) => name.startsWith('lock'))).toEqual(['lock'])
  }, 60_000)
})
