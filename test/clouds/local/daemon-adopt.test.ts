import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Machine } from '../../../src/clouds/cloud.ts'
import { localPaths } from '../../../src/clouds/local/records.ts'
import { HoldfastError } from '../../../src/errors.ts'
import { endpoint, group, network, step, until, volume } from './bench.ts'
import { bench, benchForEach, carryOut, machines, only, running } from './each-bench.ts'

benchForEach()

/** A machine that lives on after its daemon, and its record. */
async function leftRunning(role: 'master' | 'node') {
  await bench.start()
  await carryOut(network, endpoint, group(role, role, ['a'], 1))
  const before = await only()
  await bench.kill()
  const path = localPaths(bench.home).machineRecord('c', before.id)
  return { before, path, record: JSON.parse(readFileSync(path, 'utf8')) }
}

/** A master that runs, although its record says no more than that it starts. */
async function killedDuringStart(): Promise<{ before: Machine; path: string }> {
  const { before, path, record } = await leftRunning('master')
  const { process: _unknown, ...rest } = record
  writeFileSync(path, JSON.stringify({ ...rest, state: 'starting' }))
  return { before, path }
}

describe('another daemon takes over', () => {
  test('a network that cannot be made leaves nothing', async () => {
    const actions = bench.world.actions()
    const refuse = () =>
      Promise.reject(new HoldfastError('range-overlap', 'it overlaps the route of docker0'))
    await bench.start({ actions: { ...actions, ensureNetwork: refuse } })

    await expect(carryOut(network)).rejects.toMatchObject({ code: 'range-overlap' })

    expect(await bench.cloud.clusters()).toEqual([])
    expect(existsSync(localPaths(bench.home).cluster('c'))).toBe(false)
  })

  test('half a network leaves no bridge, whether it failed or its maker was killed', async () => {
    const actions = bench.world.actions()
    const half: typeof actions.ensureNetwork = async (...args) => {
      await actions.ensureNetwork(...args)
      throw new HoldfastError('host-command-failed', 'nft refuses')
    }
    await bench.start({ actions: { ...actions, ensureNetwork: half } })
    await expect(carryOut(network)).rejects.toMatchObject({ code: 'host-command-failed' })
    expect([...bench.world.bridges, ...bench.world.rules]).toEqual([])
    await bench.kill()

    const killed = bench.world.actions({ atCall: 1, when: 'after' })
    const daemon = await bench.start({ actions: killed })
    void daemon.carryOut('c', network, { storeUrl: bench.home.storeUrl })
    await killed.hung
    await bench.kill()
    expect([...bench.world.bridges]).toEqual(['c'])

    await bench.start()
    expect([...bench.world.bridges, ...bench.world.rules]).toEqual([])
    expect(existsSync(localPaths(bench.home).cluster('c'))).toBe(false)
  })

  test('everything that lives is adopted, nothing is started', async () => {
    await bench.start()
    await carryOut(network, endpoint, volume('a', 'main', 'a'), group('m', 'master', ['a'], 1))
    await only()
    const before = await bench.cloud.observe('c')
    const done = [...bench.world.log]

    await bench.kill()
    await bench.start()

    expect(await bench.cloud.observe('c')).toEqual(before)
    expect(bench.world.log.filter((line) => !line.startsWith('balance'))).toEqual(
      done.filter((line) => !line.startsWith('balance')),
    )
  })

  test('rules that another program took away are made again; where that fails the rest is adopted', async () => {
    const { before } = await leftRunning('node')
    bench.world.rules.clear()
    await bench.start()
    expect(bench.world.rules.has('c')).toBe(true)

    await bench.kill()
    const ensureRules = () => Promise.reject(new HoldfastError('host-command-failed', 'nft is locked'))
    await bench.start({ actions: { ...bench.world.actions(), ensureRules } })

    expect(await only()).toEqual(before)
    expect(bench.reports).toContain("c: its network's rules: nft is locked")
  })

  test('a machine whose record says no boot of the host is adopted with what the kernel says', async () => {
    const { before, path, record } = await leftRunning('node')
    const { process: known, ...rest } = record
    const { boot, ...earlier } = known
    writeFileSync(path, JSON.stringify({ ...rest, process: earlier }))

    await bench.start()

    expect(boot).toBe('this')
    expect(await only()).toEqual(before)
    expect(JSON.parse(readFileSync(path, 'utf8')).process).toEqual(known)
  })

  test('a machine whose start was cut short before it was on its bridge is put there', async () => {
    const { before } = await killedDuringStart()
    Object.assign(bench.world.machines.get(before.id) ?? {}, { linked: false })

    await bench.start()

    expect(await only()).toEqual(before)
    expect(bench.world.machines.get(before.id)).toMatchObject({ linked: true, boots: 1 })
  })

  test('one that cannot be put on its bridge is not taken for one that runs', async () => {
    const { before } = await killedDuringStart()
    Object.assign(bench.world.machines.get(before.id) ?? {}, { linked: false })
    const joinNetwork = () => Promise.reject(new HoldfastError('machine-not-started', 'no link came'))

    await bench.start({ actions: { ...bench.world.actions(), joinNetwork } })

    await until('another', async () => (await machines()).every(({ id }) => id !== before.id))
    const { id } = await only()
    expect(bench.world.machines.get(id)).toMatchObject({ linked: true, running: true })
    expect(bench.world.machines.has(before.id)).toBe(false)
  })

  test('what it finds of a machine counts also where it cannot be written down', async () => {
    const { before, path } = await killedDuringStart()
    const joinNetwork = async () => {
      rmSync(path)
      mkdirSync(join(path, 'in the way'), { recursive: true })
    }

    await bench.start({ actions: { ...bench.world.actions(), joinNetwork } })

    expect(await only()).toEqual(before)
    expect(bench.reports.join('\n')).toContain(`c: ${before.id} runs, which is not written down: EISDIR`)
  })

  test('a machine that died meanwhile is replaced', async () => {
    await bench.start()
    await carryOut(network, endpoint, group('m', 'master', ['a'], 1))
    const before = await only()
    await bench.kill()
    bench.world.powerCut(before.id)

    await bench.start()

    await until('another', async () => (await only()).id !== before.id)
  })

  test('after the host was rebooted the same machines start again on their own disks', async () => {
    await bench.start()
    await carryOut(network, endpoint, group('m', 'master', ['a'], 1), group('w', 'node', ['a', 'b'], 2))
    const before = await running(3)
    await bench.kill()
    bench.world.rebootHost()

    await bench.start()

    const after = await running(3)
    const withoutTime = (all: Machine[]) => all.map(({ bootedAt: _differs, ...rest }) => rest)
    expect(withoutTime(after)).toEqual(withoutTime(before))
    expect([...bench.world.machines.values()].map(({ boots }) => boots)).toEqual([2, 2, 2])
    expect(bench.world.bridges.has('c')).toBe(true)
    await until('the balancer', () => bench.world.balancers.get('c')?.targets.length === 1)
  })

  test('a balancer that cannot be started at once is tried again', async () => {
    await bench.start()
    await carryOut(network, endpoint, group('m', 'master', ['a'], 1))
    await only()
    await bench.kill()
    bench.world.balancers.clear()
    const actions = bench.world.actions()
    let attempts = 0
    const ensureBalancer: typeof actions.ensureBalancer = async (...args) => {
      if (++attempts === 1) throw new HoldfastError('balancer-not-started', 'the address is not there yet')
      await actions.ensureBalancer(...args)
    }

    await bench.start({ actions: { ...actions, ensureBalancer } })

    await until('a second attempt', () => {
      bench.clock.now += 100
      return bench.world.balancers.get('c')?.targets.length === 1
    })
  })

  test('killed between the new bridge and the machines, they are still the same machines', async () => {
    await bench.start()
    await carryOut(network, endpoint, group('w', 'node', ['a'], 2))
    const before = (await running(2)).map(({ id }) => id)
    await bench.kill()
    bench.world.rebootHost()
    const actions = bench.world.actions({ atCall: 1, when: 'after' })
    void bench.start({ actions })
    await actions.hung
    await bench.kill()
    expect(bench.world.bridges.has('c')).toBe(true)

    await bench.start()

    expect((await running(2)).map(({ id }) => id)).toEqual(before)
  })

  test('a machine whose records somebody removed is ended', async () => {
    await bench.start()
    await carryOut(network, endpoint, group('w', 'node', ['a'], 1))
    const { id } = await only()
    await bench.kill()
    const machine = bench.world.machines.get(id)
    if (machine) machine.cluster = 'removed'

    await bench.start()

    await until('it is gone', () => !bench.world.machines.has(id))
  })
})

describe('killed at any point', () => {
  const story = [
    network,
    endpoint,
    volume('a', 'main', 'a'),
    volume('a', 'events', 'a'),
    group('m', 'master', ['a'], 1),
    group('w', 'node', ['a', 'b'], 2),
  ]
  const deletes = async () => {
    const { volumes } = await bench.cloud.observe('c')
    return [
      step({ action: 'delete-group', group: 'w' }),
      step({ action: 'delete-group', group: 'm' }),
      ...volumes.map(({ id }) => step({ action: 'delete-volume', volume: id })),
      step({ action: 'delete-endpoint' }),
      step({ action: 'delete-network' }),
    ]
  }
  const points = (calls: number) =>
    Array.from({ length: calls }, (_, index) => index + 1).flatMap((atCall) =>
      (['before', 'after'] as const).map((when) => ({ atCall, when })),
    )

  test.each(points(10))('creating: $when call $atCall', async (killed) => {
    const actions = bench.world.actions(killed)
    const daemon = await bench.start({ actions })
    const context = { storeUrl: bench.home.storeUrl, assets: await assets() }
    const creating = (async () => {
      for (const one of story) await daemon.carryOut('c', one, context)
      // The machines start in the background; the calls go on until the last of them runs.
      await new Promise((resolve) => setTimeout(resolve, 50))
    })()
    await Promise.race([creating, actions.hung])
    await bench.kill()

    await bench.start()
    await carryOut(...story)
    await running(3)

    const seen = await bench.cloud.observe('c')
    expect(seen.groups.map(({ name, size }) => `${name}${size}`)).toEqual(['m1', 'w2'])
    expect(seen.volumes.map(({ seat, etcd }) => `${seat}-${etcd}`).sort()).toEqual(['a-events', 'a-main'])
    expect([...bench.world.machines.values()].filter((one) => one.running)).toHaveLength(3)
  })

  test.each(points(17))('deleting: $when call $atCall', async (killed) => {
    await bench.start()
    await carryOut(...story)
    await running(3)
    const steps = await deletes()
    await bench.kill()
    const actions = bench.world.actions(killed)
    // The first calls of an adopting daemon look after rules and balancer, before anything is deleted.
    const started = bench.start({ actions })
    const deleting = started.then(async (daemon) => {
      for (const one of steps) await daemon.carryOut('c', one, { storeUrl: bench.home.storeUrl })
    })
    await Promise.race([deleting, actions.hung])
    await bench.kill()

    await bench.start()
    await carryOut(...steps)

    expect(bench.world.machines.size).toBe(0)
    expect(bench.world.volumes.size).toBe(0)
    expect(bench.world.condemned.size).toBe(0)
    expect(bench.world.bridges.size).toBe(0)
    expect(bench.world.balancers.size).toBe(0)
    expect(existsSync(localPaths(bench.home).cluster('c'))).toBe(false)
    expect(await bench.cloud.clusters()).toEqual([])
  })
})

const assets = async () => ({
  machineRoot: bench.home.dir,
  binDir: bench.home.dir,
  cniDir: bench.home.dir,
  containerdTemplate: bench.home.dir,
  nodeBinary: bench.home.dir,
  agentBundle: bench.home.dir,
  agentSha256: 'none',
})
