import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { withLock } from '../../src/assets/lock.ts'
import { scratch } from './scratch.ts'

const lockModule = fileURLToPath(new URL('../../src/assets/lock.ts', import.meta.url))

/** Another process that takes the lock and keeps it for ever. */
async function holder(file: string) {
  const script = `import { withLock } from ${JSON.stringify(lockModule)}
    await withLock(${JSON.stringify(file)}, {}, async () => { console.log('held'); await new Promise(() => setInterval(() => {}, 1000)) })`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  return child
}

test('actions under one lock run one after the other', async () => {
  const file = join(await scratch(), 'lock')
  let inside = 0
  let most = 0

  await Promise.all(
    [1, 2, 3].map(() =>
      withLock(file, { pollMs: 10 }, async () => {
        most = Math.max(most, ++inside)
        await new Promise((resolve) => setTimeout(resolve, 20))
        inside--
      }),
    ),
  )

  expect(most).toBe(1)
})

test('a process that waits names the holder, and a killed holder leaves no lock behind', async () => {
  const file = join(await scratch(), 'lock')
  const other = await holder(file)
  const waitedFor: (number | undefined)[] = []

  const onWait = (pid?: number) => {
    waitedFor.push(pid)
    other.kill('SIGKILL')
  }
  const result = await withLock(file, { onWait, pollMs: 20, timeoutMs: 5000 }, async () => 'done')

  expect(result).toBe('done')
  expect(waitedFor[0]).toBe(other.pid)
})

test('a wait ends with the holder’s name', async () => {
  const file = join(await scratch(), 'lock')
  const other = await holder(file)

  const waiting = withLock(file, { pollMs: 20, timeoutMs: 100 }, async () => 'done')

  await expect(waiting).rejects.toMatchObject({
    code: 'asset-lock-timeout',
    message: expect.stringContaining(String(other.pid)),
  })
  other.kill('SIGKILL')
})

test('an action that throws frees the lock', async () => {
  const file = join(await scratch(), 'lock')

  const failing = withLock(file, {}, async () => {
    throw new Error('no')
  })

  await expect(failing).rejects.toThrow('no')
  expect(await withLock(file, { timeoutMs: 0 }, async () => 'free')).toBe('free')
})
