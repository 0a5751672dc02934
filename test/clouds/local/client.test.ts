import { existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import packageJson from '../../../package.json' with { type: 'json' }
import type { PowerRequest } from '../../../src/clouds/local/api-operator.ts'
import { daemonClient } from '../../../src/clouds/local/client.ts'
import { localPaths, makePrivateFolder } from '../../../src/clouds/local/records.ts'
import type { Home } from '../../../src/home.ts'
import { type Bench, setUpBench, until } from './bench.ts'

describe('a connection that breaks before the answer', () => {
  let bench: Bench
  beforeEach(() => {
    bench = setUpBench()
  })
  afterEach(() => bench.close())

  /** Answers as the local cloud does, but the first call of `power` breaks off after it was carried out. */
  async function breakPowerOnce(afterwards: () => unknown) {
    const paths = localPaths(bench.home)
    await makePrivateFolder(paths.root)
    const asked: PowerRequest[] = []
    const server = createServer(async (request, response) => {
      let text = ''
      for await (const chunk of request) text += chunk
      if (request.method === 'POST') asked.push(JSON.parse(text))
      if (request.method === 'POST' && asked.length === 1) return request.socket.destroy()
      const answer = request.method === 'POST' ? afterwards() : { version: packageJson.version }
      response.writeHead(answer ? 200 : 422)
      response.end(JSON.stringify(answer ?? { error: { code: 'machine-missing' } }))
    })
    await new Promise<void>((resolve) => server.listen(paths.socket, resolve))
    return { asked, [Symbol.asyncDispose]: async () => void server.close() }
  }

  test('a reboot is asked for again under the same name, another reboot under another', async () => {
    await using cloud = await breakPowerOnce(() => ({}))

    await bench.cloud.power('m-abcde', 'reboot')
    await bench.cloud.power('m-abcde', 'reboot')

    const [first, again, other] = cloud.asked.map(({ options }) => options?.request)
    expect(first).toMatch(/^[0-9a-f-]{36}$/)
    expect(again).toBe(first)
    expect(other).not.toBe(first)
  })

  test('a kill that was carried out is no error when the machine is gone by then', async () => {
    await using cloud = await breakPowerOnce(() => undefined)

    await bench.cloud.power('m-abcde', 'kill')

    expect(cloud.asked).toHaveLength(2)
    await expect(bench.cloud.power('m-abcde', 'reboot')).rejects.toMatchObject({ code: 'machine-missing' })
  })
})

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

  test('one that cannot write its log, on a full disk say, serves all the same', {
    timeout: 60_000,
  }, async () => {
    const paths = localPaths(home)
    await makePrivateFolder(paths.root)
    symlinkSync('/dev/full', paths.log)

    expect(await daemonClient(home).ask<string[]>('GET', '/clusters')).toEqual([])
  })
})
