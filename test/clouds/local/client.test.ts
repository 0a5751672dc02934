import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { daemonClient } from '../../../src/clouds/local/client.ts'
import { localPaths } from '../../../src/clouds/local/records.ts'
import type { Home } from '../../../src/home.ts'
import { until } from './bench.ts'

/** The real process, with nothing to look after. */
describe("the local cloud's process", () => {
  let home: Home
  beforeEach(() => {
    // Longer than a socket's path may be.
    const dir = join(mkdtempSync(join(tmpdir(), 'hf-client-')), 'x'.repeat(100))
    const unique = dir.slice(-106, -100).replace(/[^a-z0-9]/gi, '0')
    home = { dir, cache: join(dir, 'cache'), prefix: `hf-${unique}`, storeUrl: `file://${dir}/store` }
  })
  afterEach(async () => {
    await daemonClient(home).stop()
    rmSync(join(home.dir, '..'), { recursive: true, force: true })
  })

  test('one for all who need it at once, another after a kill, and nothing left in the end', {
    timeout: 60_000,
  }, async () => {
    const clients = Array.from({ length: 3 }, () => daemonClient(home))
    expect(await daemonClient(home).status()).toBeUndefined()

    const answers = await Promise.all(clients.map((client) => client.ask<string[]>('GET', '/clusters')))

    expect(answers).toEqual([[], [], []])
    const pids = await Promise.all(clients.map(async (client) => (await client.status())?.pid))
    expect(new Set(pids).size).toBe(1)
    const [pid = 0] = pids

    process.kill(pid, 'SIGKILL')
    expect(await clients[0]?.ask<string[]>('GET', '/clusters')).toEqual([])

    const next = (await clients[0]?.status())?.pid
    expect(next).not.toBe(pid)

    await clients[0]?.stop({ ifEmpty: true })
    await until('it ended', () => !existsSync(`/proc/${next}`))
    expect(existsSync(localPaths(home).root)).toBe(false)
    expect(readdirSync(home.dir)).toEqual([])
  })
})
