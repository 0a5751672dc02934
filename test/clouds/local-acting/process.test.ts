import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hostActions } from '../../../src/clouds/local/daemon-host.ts'
import {
  identityOf,
  isRunning,
  killProcess,
  type ProcessIdentity,
  spawnDetached,
  waitFor,
} from '../../../src/clouds/local/process.ts'
import { withHostLock } from '../../../src/clouds/local/process-lock.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hf-process-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('detached processes', () => {
  test('run in a session of their own, write to their log, and are known by number and start', async () => {
    const logFile = join(folder, 'log')
    await writeFile(logFile, 'x'.repeat(1024 * 1024 + 1))

    const started = await spawnDetached({
      name: 'hf-test-detached',
      command: ['sh', '-c', 'echo hello; exec sleep 60'],
      logFile,
    })

    try {
      await waitFor(async () => (await readFile(logFile, 'utf8')) === 'hello\n', 2_000)
      expect(await readFile(logFile, 'utf8')).toBe('hello\n')
      expect((await stat(`${logFile}.1`)).size).toBe(1024 * 1024 + 1)
      const fields = (await readFile(`/proc/${started.pid}/stat`, 'utf8')).split(') ')[1]?.split(' ')
      expect(fields?.[3]).toBe(String(started.pid))
      expect(await isRunning(started)).toBe(true)
      expect(await isRunning({ ...started, startTime: '1' })).toBe(false)
      expect(await isRunning({ ...started, boot: 'another' })).toBe(false)
      const { boot: _notYet, ...earlier } = started
      expect(await isRunning(earlier as ProcessIdentity)).toBe(false)
      expect([started, { ...started, boot: 'another' }].map(hostActions.isRunning)).toEqual([true, false])
    } finally {
      expect(await killProcess(started)).toBe(true)
    }
    expect(await isRunning(started)).toBe(false)
  })

  test('a command that is not there is an error', async () => {
    const wanted = spawnDetached({
      name: 'hf-test-none',
      command: ['/no/such'],
      logFile: join(folder, 'none'),
    })

    await expect(wanted).rejects.toMatchObject({ code: 'process-not-started' })
  })

  test('a zombie does not count as running', async () => {
    const child = spawn('sh', ['-c', 'sleep 0 & echo $!; exec sleep 5'])
    const text = await new Promise<string>((resolve) =>
      child.stdout.on('data', (data) => resolve(String(data))),
    )
    await sleep(100)

    expect(await identityOf(Number(text))).toBeUndefined()
    child.kill()
  })
})

describe('the host lock', () => {
  test('lets one in at a time, in one process', async () => {
    let inside = 0
    let most = 0
    const one = () =>
      withHostLock(`test-${process.pid}`, async () => {
        most = Math.max(most, ++inside)
        await sleep(10)
        inside--
      })

    await Promise.all([one(), one(), one()])

    expect([most, inside]).toEqual([1, 0])
  })

  test('is free as soon as its holder was killed, and says so when it is not', async () => {
    const name = `test-killed-${process.pid}`
    const module = join(import.meta.dirname, '../../../src/clouds/local/process-lock.ts')
    const script = `import { withHostLock } from ${JSON.stringify(module)}
      await withHostLock(${JSON.stringify(name)}, () => new Promise(() => { console.log('held'); setInterval(() => {}, 1e6) }))`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script])
    await new Promise((resolve) => child.stdout.once('data', resolve))

    await expect(withHostLock(name, async () => 1, 50)).rejects.toMatchObject({ code: 'host-lock-busy' })
    child.kill('SIGKILL')
    expect(await withHostLock(name, async () => 2, 2_000)).toBe(2)
  })
})
