import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect, test } from 'vitest'
import { linksOf, loopsOf, processesOf } from '../../scripts/leftovers.ts'
import { isReady, nodes, targetOf } from './support/client.ts'
import { nothingLost } from './support/expectations.ts'
import { mustRun, startHoldfast } from './support/holdfast.ts'
import { cloud, inside, inventory } from './support/machines.ts'
import { base, clusterName, home, smallName } from './support/place.ts'
import { deployProbe, servicesWork } from './support/probe.ts'
import { mustBeWell, sharedCluster } from './support/state.ts'
import { defined, eventually } from './support/wait.ts'
import { startWriter } from './support/writer.ts'

const upSmall = [
  'up',
  smallName,
  '--masters',
  '1',
  '--workers',
  '1',
  '--zones',
  'a',
  '--networking',
  'routed',
]

const upOneMaster = ['up', smallName, '--masters', '1', '--workers', '0', '--zones', 'a']

beforeAll(async () => {
  await sharedCluster()
})

async function deleteSmall(): Promise<void> {
  await mustRun(['delete', 'cluster', smallName, '--yes'])
  expect(await inventory(smallName)).toEqual({ groups: [], machines: [], volumes: [] })
}

/** What the small cluster must be in the end, however often it was cut short; and nothing besides. */
async function mustBeWhole(workers: number, zones = ['a']): Promise<void> {
  await mustBeWell(smallName)
  const there = await inventory(smallName)
  const main = await inventory()
  expect(there.machines.map(({ group, state }) => `${group} ${state}`).sort()).toEqual([
    ...zones.map((zone) => `master-${zone} running`),
    ...Array.from({ length: workers }, () => 'nodes running'),
  ])
  const volumes = zones.flatMap((zone) => [`${zone} events`, `${zone} main`])
  expect(there.volumes.map(({ seat, etcd }) => `${seat} ${etcd}`).sort()).toEqual(volumes)
  const found = await nodes(targetOf(smallName))
  expect(
    found
      .filter(isReady)
      .map(({ metadata }) => metadata.name)
      .sort(),
  ).toEqual(there.machines.map(({ id }) => id).sort())
  // Nothing was made twice: one bridge for each cluster, one link for each machine, one device a volume.
  const place = { base, prefix: home().prefix }
  const machines = there.machines.length + main.machines.length
  expect(linksOf(place)).toHaveLength(machines + 2)
  expect(loopsOf(place)).toHaveLength(there.volumes.length + main.volumes.length)
  const nspawn = processesOf(place).filter(({ words }) => words.startsWith('systemd-nspawn'))
  expect(nspawn).toHaveLength(machines)
}

/** A line of progress without its time, and without what changes from one run to the next. */
const shape = (line: string): string =>
  line
    .replace(/^\s*[\d.]+s\s+/, '')
    .replace(/\(.*$/, '')
    .trim()

describe('up is cut short', () => {
  test('by Ctrl-C: it stops after the step in hand and says how to go on', async () => {
    const up = startHoldfast(upSmall)
    up.onLine((line) => {
      if (!up.child.killed && line.includes('Create network')) up.child.kill('SIGINT')
    })

    const { code, err } = await up.done

    expect(code).toBe(130)
    expect(err).toContain('Go on with the same command')
    expect(err).toContain(`holdfast delete cluster ${smallName} --yes`)
    expect((await inventory(smallName)).machines).toEqual([])
  })

  test('by SIGKILL around every step: each run goes on, the last one completes', async () => {
    const seen = new Set<string>()
    let runs = 0
    for (; ; runs++) {
      expect(runs).toBeLessThan(60)
      const up = startHoldfast(upSmall)
      up.onLine((line) => {
        // What it said besides in the same breath is for the next run.
        if (up.child.killed || seen.has(shape(line))) return
        seen.add(shape(line))
        up.child.kill('SIGKILL')
      })
      const { code, err } = await up.done
      if (code === null) continue
      expect({ code, err }).toMatchObject({ code: 0 })
      break
    }
    console.log(`killed ${runs} times:\n  ${[...seen].join('\n  ')}`)

    expect(runs).toBe(seen.size)
    for (const step of ['Create endpoint', 'Create volume', 'Set group', 'Wait until everything works'])
      expect([...seen].some((line) => line.startsWith(step))).toBe(true)
    await mustBeWhole(1)
  })
})

describe('two clusters side by side', () => {
  test('have networks of their own, and both work', async () => {
    const [one, other] = [await inventory(), await inventory(smallName)]
    expect(one.network?.cidr).not.toBe(other.network?.cidr)
    expect(one.network?.device).not.toBe(other.network?.device)

    await mustBeWell()
    await mustBeWell(smallName)
    const names = (await nodes(targetOf(clusterName))).map(({ metadata }) => metadata.name)
    expect(names).toHaveLength(4)
    for (const { metadata } of await nodes(targetOf(smallName))) expect(names).not.toContain(metadata.name)
  })

  test('with `routed`, pods’ ranges are plain routes to their nodes, without a tunnel', async () => {
    const found = await nodes(targetOf(smallName))
    expect(found).toHaveLength(2)
    for (const node of found) {
      const other = defined(
        found.find(({ metadata }) => metadata.name !== node.metadata.name),
        'other node',
      )
      const address = other.status.addresses?.find(({ type }) => type === 'InternalIP')?.address
      const routes = await inside({ id: node.metadata.name }, 'ip route; ip -o link')
      expect(routes).toContain(`${other.spec.podCIDR} via ${address} dev eth0`)
      expect(routes).not.toContain('vxlan')
    }
  })

  test('with `routed`, pods of one machine reach those of the other, and Services by their names', async () => {
    await deployProbe(smallName)

    await servicesWork(smallName)
  })

  test('the one that is deleted leaves the other alone', async () => {
    const writer = await startWriter(targetOf(clusterName))
    const before = await inventory()

    await deleteSmall()

    expect(await inventory()).toEqual(before)
    nothingLost(await writer.stop(), 10)
    await mustBeWell()
  })
})

const waitsForChecks = 'Wait until everything works'

test('Ctrl-C while up waits for the checks: what was made is kept, and it says how to go on', async () => {
  const up = startHoldfast(upOneMaster)
  up.onLine((line) => {
    // This line also says which condition it waits for.
    if (!up.child.killed && line.includes(`${waitsForChecks}: `)) up.child.kill('SIGINT')
  })

  const { code, err } = await up.done

  expect({ code, err }).toMatchObject({ code: 130 })
  expect(err).toContain('Go on with the same command')
  expect(err).toContain(`holdfast delete cluster ${smallName} --yes`)
  const { groups, volumes } = await inventory(smallName)
  expect(groups.map(({ name }) => name)).toContain('master-a')
  expect(volumes).toHaveLength(2)
  await deleteSmall()
})

/** An `up` that is stopped as soon as it says so, in the middle of a step. */
async function stoppedUp(at: string) {
  const up = startHoldfast(upOneMaster)
  await new Promise<void>((resolve) =>
    up.onLine((line) => {
      if (up.child.killed || !line.includes(at)) return
      up.child.kill('SIGSTOP')
      resolve()
    }),
  )
  return up
}

test.each(['Create network', waitsForChecks])(
  'a second up at the same time waits, naming the first one’s process: %s',
  async (at) => {
    const first = await stoppedUp(at)

    const second = startHoldfast(upOneMaster)
    await eventually('the second waits', 20_000, async () =>
      expect(second.said()).toMatch(
        new RegExp(`Waiting for another operation on ${smallName}.*process ${first.child.pid}\\b`),
      ),
    )
    first.child.kill('SIGCONT')

    expect((await first.done).code).toBe(0)
    expect((await second.done).code).toBe(0)
    await mustBeWhole(0)
    await deleteSmall()
  },
)

test('a deletion does not wait for an up that waits until its cluster works, which then ends', async () => {
  const up = await stoppedUp(waitsForChecks)

  await deleteSmall()
  up.child.kill('SIGCONT')

  const { code, err } = await up.done
  expect(code).toBe(4)
  expect(err).toContain(`${smallName} was deleted meanwhile`)
  expect(await inventory(smallName)).toEqual({ groups: [], machines: [], volumes: [] })
})

/** A small generator of numbers in [0, 1), so that a run can be repeated: mulberry32. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

type Victim = 'command' | 'cloud' | 'both'

/**
 * Starts `up`, and kills it, the local cloud's process or both at once, so long after its beginning.
 * @returns whether that hit it on its way: nothing is killed where it has ended before.
 */
async function killDuring(words: readonly string[], victim: Victim, afterMs: number): Promise<boolean> {
  const up = startHoldfast(words)
  await Promise.race([up.done, sleep(afterMs)])
  const localCloud = victim === 'command' ? undefined : await cloud().status()
  const isThere = up.child.exitCode === null && (victim === 'command' || localCloud !== undefined)
  if (isThere && victim !== 'cloud') up.child.kill('SIGKILL')
  if (isThere && localCloud) process.kill(localCloud.pid, 'SIGKILL')
  const { code, err } = await up.done
  // Without its local cloud the command starts another one and goes on by itself.
  const wasKilled = isThere && victim !== 'cloud' && code === null
  if (!wasKilled) expect({ code, err }).toMatchObject({ code: 0 })
  return victim === 'cloud' ? isThere : wasKilled
}

describe('up is killed at seeded times', () => {
  const seed = Number(process.env.HOLDFAST_E2E_SEED ?? Date.now() % 1_000_000)
  const random = randomOf(seed)
  // The command is killed, or the local cloud's process, or both at once: while one master comes up, or three.
  const cases: { victim: Victim; zones: string[]; withinMs: number }[] = [
    { victim: 'command', zones: ['a'], withinMs: 12_000 },
    { victim: 'both', zones: ['a', 'b', 'c'], withinMs: 20_000 },
    { victim: 'cloud', zones: ['a'], withinMs: 12_000 },
    { victim: 'command', zones: ['a', 'b', 'c'], withinMs: 20_000 },
    { victim: 'both', zones: ['a'], withinMs: 12_000 },
    { victim: 'command', zones: ['a'], withinMs: 12_000 },
  ]
  test.each(cases)(`seed ${seed}: the $victim, zones $zones`, async ({ victim, zones, withinMs }) => {
    const words = ['up', smallName, '--masters', String(zones.length), '--workers', '0']
    words.push('--zones', zones.join())
    // A kill that came too late is drawn again, sooner.
    let latestMs = withinMs
    for (let draws = 1; ; draws++) {
      const afterMs = Math.round(400 + random() * latestMs)
      const hit = await killDuring(words, victim, afterMs)
      console.log(`seed ${seed}: ${victim} killed after ${afterMs} ms: ${hit ? 'hit' : 'too late'}`)
      if (hit) break
      expect(draws).toBeLessThan(5)
      latestMs = (afterMs - 400) / 2
      await deleteSmall()
    }

    await mustRun(words)

    await mustBeWhole(0, zones)
    await deleteSmall()
  })
})
