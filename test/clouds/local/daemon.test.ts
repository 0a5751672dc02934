import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { localPaths } from '../../../src/clouds/local/records.ts'
import { endpoint, group, network, step, until } from './bench.ts'
import { bench, benchForEach, carryOut, machines, only, running } from './each-bench.ts'

benchForEach()
/** Machines that live long are replaced at once. */
const grow = () => {
  bench.clock.now += 3600_000
}

describe('groups keep their size', () => {
  test('a machine that died is replaced by a new one with another id and address', async () => {
    await bench.start()
    await carryOut(network, endpoint, group('m', 'master', ['a'], 1))
    const before = await only()

    bench.world.powerCut(before.id)

    await until('another machine', async () => (await only()).id !== before.id)
    const after = await only()
    expect(after.id).toMatch(/^m-[a-z0-9]{5}$/)
    expect(after.address).not.toBe(before.address)
    expect(bench.world.machines.has(before.id)).toBe(false)
    expect(existsSync(localPaths(bench.home).machine('c', before.id))).toBe(false)
    await until('the balancer', () => bench.world.balancers.get('c')?.targets.join() === after.id)
  })

  test('workers are spread over their zones, and the newest goes first', async () => {
    await bench.start()
    await carryOut(network, endpoint, group('w', 'node', ['a', 'b'], 2))
    const first = await running(2)
    grow()
    await carryOut(group('w', 'node', ['a', 'b'], 3))
    await running(3)

    await carryOut(group('w', 'node', ['a', 'b'], 2))

    expect(first.map(({ zone }) => zone).sort()).toEqual(['a', 'b'])
    expect((await machines()).map(({ id }) => id)).toEqual(first.map(({ id }) => id))
  })

  test('a terminated machine is out of the balancer before its plug is pulled', async () => {
    await bench.start()
    await carryOut(network, endpoint, group('m', 'master', ['a'], 1))
    const { id } = await only()
    await until('the balancer', () => bench.world.balancers.get('c')?.targets.join() === id)

    await carryOut(step({ action: 'terminate-machine', machine: id }))

    const log = bench.world.log
    expect(log.indexOf('balance -')).toBeGreaterThan(-1)
    expect(log.indexOf('balance -')).toBeLessThan(log.indexOf(`kill ${id}`))
    expect((await only()).id).not.toBe(id)
  })

  test('sessions through a master that hangs are looked for once a second', async () => {
    await bench.start()
    await carryOut(network, endpoint, group('m', 'master', ['a'], 1))
    await until('the first look', () => bench.world.sessionLooks === 1)

    bench.clock.now += 500
    await new Promise((resolve) => setTimeout(resolve, 100))
    const tooSoon = bench.world.sessionLooks
    bench.clock.now += 500

    await until('the second look', () => bench.world.sessionLooks === 2)
    expect(tooSoon).toBe(1)
  })

  test('a clock that is set back holds nothing up', async () => {
    await bench.start()
    await carryOut(network, endpoint, group('m', 'master', ['a'], 1))
    await until('the first look', () => bench.world.sessionLooks === 1)
    bench.world.failStarts = 1
    bench.world.powerCut((await only()).id)
    await until('a failed start', () => bench.world.failStarts === 0)

    bench.clock.setBy = -2 * 3600_000
    bench.clock.now += 1_000

    await until('the second look', () => bench.world.sessionLooks === 2)
    await running(1)
  })

  test('what fails each time is said once, and again after ten minutes', async () => {
    await bench.start()
    const said = (): string => bench.reports.join('\n')
    bench.world.sessionsFault = 'no socket'
    await carryOut(network, endpoint, group('m', 'master', ['a'], 1))
    for (let looks = 1; looks <= 3; looks++) {
      await until('a look', () => bench.world.sessionLooks === looks)
      bench.clock.now += 1_000
    }
    bench.world.sessionsFault = 'another fault'
    await until('the new fault is said', () => said().includes('another fault'))

    expect(said().match(/no socket/g)).toHaveLength(1)
    bench.world.sessionsFault = 'no socket'
    bench.clock.now += 10 * 60_000
    await until('it is said again', () => said().match(/no socket/g)?.length === 2)
  })

  test('machines that die at once make the group wait, and observe says why', async () => {
    bench.world.failStarts = 1_000
    await bench.start()
    await carryOut(network, endpoint, group('w', 'node', ['a'], 1))
    const trouble = async () => (await bench.cloud.observe('c')).groups[0]?.trouble

    await until('it waits', async () => (await trouble()) !== undefined)

    const attempts = 1_000 - bench.world.failStarts
    expect(attempts).toBe(2)
    expect(await trouble()).toBe(
      '2 machines of group w died within 20 s of their start; the last: no space is left',
    )
    bench.world.failStarts = 0
    bench.clock.now += 1_001
    await running(1)
    expect(await trouble()).toBeUndefined()
  })

  test('they do so where nothing can be written any more, and nothing of them stays', async () => {
    await bench.start()
    await carryOut(network, endpoint, group('w', 'node', ['a'], 1))
    const first = await only()
    const record = localPaths(bench.home).clusterRecord('c')
    rmSync(record)
    mkdirSync(join(record, 'in the way'), { recursive: true })

    bench.world.powerCut(first.id)

    await until('it waits', async () => (await bench.cloud.observe('c')).groups[0]?.trouble !== undefined)
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(bench.reports.filter((line) => line.includes(' starts at '))).toHaveLength(2)
    expect(bench.reports.join('\n')).toContain(`the death of ${first.id} is not written down`)
    expect(readdirSync(join(localPaths(bench.home).cluster('c'), 'machines'))).toEqual([])
  })

  test('addresses that could not be written down are given out again', async () => {
    await bench.start()
    await carryOut(network, endpoint, group('m', 'master', ['a'], 1))
    const { id } = await only()
    const { machineRecord, clusterRecord } = localPaths(bench.home)
    const starts = () => bench.reports.flatMap((line) => / starts at (\S+)/.exec(line)?.[1] ?? [])
    for (const record of [machineRecord('c', id), clusterRecord('c')]) {
      rmSync(record)
      mkdirSync(join(record, 'in the way'), { recursive: true })
    }

    for (let count = 0; count < 5; count++)
      await expect(bench.cloud.power(id, 'reboot', { newAddress: true })).rejects.toThrow(/EISDIR/)
    bench.world.powerCut(id)
    await until('failed starts', () => {
      bench.clock.now += 10_000
      return starts().length > 10
    })

    // A few, because one that is being cleared away still has its own.
    expect(new Set(starts()).size).toBeLessThan(5)
    expect(starts()).toContain('10.0.0.3')
  })

  test('a kill is answered by a new machine, a reboot by the same one', async () => {
    await bench.start()
    await carryOut(network, endpoint, group('m', 'master', ['a'], 1))
    const first = await only()

    await bench.cloud.power(first.id, 'reboot')
    const rebooted = await only()
    await bench.cloud.power(first.id, 'kill')
    await until('another', async () => (await only()).id !== first.id)

    expect(rebooted).toMatchObject({ id: first.id, address: first.address })
    expect(bench.world.log.filter((line) => line === `start ${first.id}`)).toHaveLength(2)
  })

  test('a reboot that is asked for twice because its answer was lost happens once', async () => {
    const daemon = await bench.start()
    await carryOut(network, endpoint, group('m', 'master', ['a'], 1))
    const { id } = await only()
    const boots = () => bench.world.machines.get(id)?.boots
    const same = { request: 'one', newAddress: true }

    await Promise.all([daemon.power(id, 'reboot', same), until('it began', () => boots() === 2)])
    const { address } = await only()
    await daemon.power(id, 'reboot', same)
    await bench.kill()
    const next = await bench.start()
    await next.power(id, 'reboot', same)
    expect([boots(), (await only()).address]).toEqual([2, address])

    await next.power(id, 'reboot', { ...same, request: 'another' })
    expect(boots()).toBe(3)
  })

  test('masters that reboot together with new addresses each get their own, and the balancer learns them', async () => {
    await bench.start()
    const groups = ['a', 'b', 'c'].map((zone) => group(`m-${zone}`, 'master', [zone], 1))
    await carryOut(network, endpoint, ...groups)
    const before = await running(3)

    await Promise.all(before.map(({ id }) => bench.cloud.power(id, 'reboot', { newAddress: true })))

    const after = await running(3)
    expect(after.map(({ id }) => id)).toEqual(before.map(({ id }) => id))
    const addresses = [...before, ...after].map(({ address }) => address)
    expect(new Set(addresses).size).toBe(6)
    expect(after.map(({ id }) => bench.world.machines.get(id)?.identity.address)).toEqual(
      after.map(({ address }) => address),
    )
    const known = () => bench.world.balancers.get('c')?.addresses
    await until(
      'the balancer',
      () =>
        known()?.sort().join() ===
        after
          .map(({ address }) => address)
          .sort()
          .join(),
    )
  })

  test('a balancer that died is started again', async () => {
    await bench.start()
    await carryOut(network, endpoint, group('m', 'master', ['a'], 1))
    const { id } = await only()
    await until('the balancer', () => bench.world.balancers.get('c')?.targets.join() === id)

    bench.world.balancers.clear()

    await until('it is back', () => bench.world.balancers.get('c')?.targets.join() === id)
  })
})

test('rules of the network are made again when somebody asks, and only where there is one', async () => {
  await bench.start()
  await bench.cloud.refreshNetwork?.('c')
  expect(bench.world.rules.size).toBe(0)
  await carryOut(network)
  bench.world.rules.clear()

  await bench.cloud.refreshNetwork?.('c')

  expect(bench.world.rules.has('c')).toBe(true)
})

test("the machines' range is chosen apart from what the step says is taken", async () => {
  const actions = bench.world.actions()
  const asked: unknown[] = []
  const ensureNetwork: typeof actions.ensureNetwork = (home, cluster, options) => {
    asked.push(options)
    return actions.ensureNetwork(home, cluster, options)
  }
  await bench.start({ actions: { ...actions, ensureNetwork } })

  await carryOut(step({ action: 'create-network', taken: ['10.213.0.0/16'], egress: 'none' }))

  expect(asked).toEqual([{ taken: ['10.213.0.0/16'], egress: 'none' }])
})
