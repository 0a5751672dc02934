import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { get } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  balancerState,
  closeDeadSessions,
  drainTarget,
  ensureBalancer,
  setTargets,
  stopBalancer,
} from '../../src/balancer/haproxy.ts'
import type { LocalCluster } from '../../src/clouds/local/parts.ts'
import { identityOf } from '../../src/clouds/local/process.ts'
import { type Home, resolveHome } from '../../src/home.ts'
import { type FakeApiserver, fakeApiserver } from './support/tls-server.ts'

// Loopback addresses of this process's own: others may run the same test at the same time.
const range = `127.77.${1 + (process.pid % 250)}`
const endpoint = { address: `${range}.9`, port: 16443 }
const cluster: LocalCluster = { name: 'try', index: 0, endpoint, groups: {} }
const one = { name: 'one', address: `${range}.1` }
const two = { name: 'two', address: `${range}.2` }

/** Asks through the endpoint on a new connection. */
const ask = (path = '/', timeoutMs = 1_000): Promise<string> =>
  new Promise((resolve, reject) => {
    const options = {
      ...endpoint,
      host: endpoint.address,
      path,
      rejectUnauthorized: false,
      agent: false,
      timeout: timeoutMs,
    }
    const request = get(options, (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString()
      })
      response.on('end', () => resolve(text))
      response.on('error', reject)
    })
    request.on('timeout', () => request.destroy(new Error('timeout')))
    request.on('error', reject)
  })

async function until(what: () => Promise<boolean>, timeoutMs = 3_000): Promise<number> {
  const start = performance.now()
  while (!(await what())) {
    if (performance.now() - start > timeoutMs) throw new Error(`not within ${timeoutMs} ms`)
    await sleep(10)
  }
  return performance.now() - start
}

const answers = async (times: number): Promise<Set<string>> => {
  const seen = new Set<string>()
  for (let index = 0; index < times; index++) seen.add(await ask())
  return seen
}

describe.skipIf(process.getuid?.() !== 0)('a real HAProxy before two TLS servers', () => {
  let folder: string
  let home: Home
  let servers: FakeApiserver[]

  const up = async (names: string[]) =>
    until(async () => {
      const state = await balancerState(home, cluster)
      const ready = state?.servers.filter((server) => server.state === 'up').map((server) => server.name)
      return JSON.stringify(ready?.sort()) === JSON.stringify(names)
    })

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hf-balancer-'))
    // The cache is the user's: HAProxy is the one of the machines' root.
    home = { ...resolveHome({ HOLDFAST_HOME: folder }), cache: resolveHome().cache }
    servers = [await fakeApiserver('one', one.address, 6443), await fakeApiserver('two', two.address, 6443)]
  })

  afterEach(async () => {
    await stopBalancer(home, cluster)
    for (const server of servers) await server.stop().catch(() => {})
    await rm(folder, { recursive: true, force: true })
  })

  test('spreads connections, moves off a dead server and comes back only when it is ready', async () => {
    await ensureBalancer(home, cluster, [one, two])
    await up(['one', 'two'])

    expect(await answers(8)).toEqual(new Set(['one', 'two']))
    expect(servers[0]?.checked[0]).toBe('/readyz?exclude=etcd-override-0&exclude=etcd-override-readiness-0')

    await servers[0]?.stop()
    const during = await answers(8)
    const gone = await up(['two'])

    expect(during).toEqual(new Set(['two']))
    expect(gone).toBeLessThan(1_000)

    const again = await fakeApiserver('one', one.address, 6443)
    servers[0] = again
    again.ready = false
    await sleep(700)
    expect(await answers(6)).toEqual(new Set(['two']))

    again.ready = true
    await up(['one', 'two'])
    expect(await answers(8)).toEqual(new Set(['one', 'two']))
  })

  test('changes its targets without a reload, without cutting a connection through another', async () => {
    await ensureBalancer(home, cluster, [one])
    await up(['one'])
    const before = await balancerState(home, cluster)
    const slow = ask('/slow', 3_000)

    await setTargets(home, cluster, [one, two])
    await up(['one', 'two'])
    const draining = ask('/slow', 3_000)
    await setTargets(home, cluster, [two])

    expect(await slow).toBe('one')
    expect(['one', 'two']).toContain(await draining)
    expect(await answers(4)).toEqual(new Set(['two']))
    const after = await balancerState(home, cluster)
    expect(after?.targets).toEqual(['two'])
    expect(after?.process).toEqual(before?.process)
  })

  test('drains a target: new connections go elsewhere, the one in flight ends well', async () => {
    await ensureBalancer(home, cluster, [one])
    await up(['one'])
    const inFlight = ask('/slow', 3_000)
    await sleep(50)
    await setTargets(home, cluster, [one, two])
    await up(['one', 'two'])

    const left = await drainTarget(home, cluster, 'one', 2_000)

    expect(left).toBe(0)
    expect(await inFlight).toBe('one')
    expect(await answers(4)).toEqual(new Set(['two']))
    await setTargets(home, cluster, [one, two])
    expect(await answers(4)).toEqual(new Set(['one', 'two']))
  })

  test('closes what still goes through a server that is not ready any more, and nothing else', async () => {
    await ensureBalancer(home, cluster, [one])
    await up(['one'])
    const stale = ask('/watch', 5_000).then(
      () => 'ended well',
      () => 'cut',
    )
    await sleep(50)
    await setTargets(home, cluster, [one, two])
    await up(['one', 'two'])
    const [first] = servers
    if (first) first.ready = false
    await up(['two'])
    const fresh = ask('/slow', 5_000)

    await sleep(1_100)
    await closeDeadSessions(home, cluster)

    expect(await stale).toBe('cut')
    expect(await fresh).toBe('two')
  })

  test('goes on to servers that are all too slow for their checks, and cuts nothing; never to one that is not ready', async () => {
    await ensureBalancer(home, cluster, [one, two])
    await up(['one', 'two'])
    for (const server of servers) {
      server.handshakeTakesMs = 500
      server.checkTakesMs = 1_000
    }
    await up([])
    // Longer than two of the patient checks.
    await sleep(4_500)
    const watch = ask('/watch', 5_000).then(
      () => 'ended well',
      () => 'cut',
    )

    expect(await answers(4)).toEqual(new Set(['one', 'two']))
    await sleep(1_100)
    await closeDeadSessions(home, cluster)
    expect(await Promise.race([watch, sleep(200, 'goes on')])).toBe('goes on')

    const [first, second] = servers
    if (first) first.ready = false
    await until(async () => !(await answers(4)).has('one'), 6_000)

    if (second) Object.assign(second, { handshakeTakesMs: 0, checkTakesMs: 0 })
    await up(['two'])
    expect(await answers(4)).toEqual(new Set(['two']))
    if (second) second.ready = false
    await until(
      () =>
        ask().then(
          () => false,
          () => true,
        ),
      6_000,
    )
  })

  test('is found again, is started once, keeps its files to itself and leaves nothing', async () => {
    await ensureBalancer(home, cluster, [one])
    const first = await balancerState(home, cluster)
    await ensureBalancer(home, cluster, [one, two])
    const second = await balancerState(home, cluster)

    expect(second?.process).toEqual(first?.process)
    expect(second?.targets).toEqual(['one', 'two'])
    const pid = first?.process.pid ?? 0
    expect(/^Uid:\s+65534\s/m.test(await readFile(`/proc/${pid}/status`, 'utf8'))).toBe(true)
    const dir = join(folder, 'local/clusters/try/balancer')
    expect((await stat(dir)).mode & 0o777).toBe(0o700)

    await stopBalancer(home, cluster)
    expect(await identityOf(pid)).toBeUndefined()
    expect(await balancerState(home, cluster)).toBeUndefined()
    expect(existsSync(dir)).toBe(false)
    await expect(setTargets(home, cluster, [])).rejects.toMatchObject({ code: 'balancer-not-running' })
  })

  test('one that another version started with another configuration is replaced', async () => {
    await ensureBalancer(home, cluster, [one])
    const first = await balancerState(home, cluster)
    const file = join(folder, 'local/clusters/try/balancer/root/etc/haproxy.cfg')
    await writeFile(file, (await readFile(file, 'utf8')).replace('maxconn 4000', 'maxconn 3000'))

    await ensureBalancer(home, cluster, [one, two])
    await up(['one', 'two'])

    expect((await balancerState(home, cluster))?.process).not.toEqual(first?.process)
    expect(await answers(4)).toEqual(new Set(['one', 'two']))
  })

  test('says why it did not start', async () => {
    const taken = await fakeApiserver('x', endpoint.address, endpoint.port)

    await expect(ensureBalancer(home, cluster, [])).rejects.toMatchObject({
      code: 'balancer-not-started',
      message: expect.stringMatching(/in use|bind/),
    })
    await taken.stop()
  })
})
