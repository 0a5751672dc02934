import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { CloudStep } from '../../../src/clouds/cloud.ts'
import { openLocalCloud } from '../../../src/clouds/local/cloud.ts'
import { rangeProblems } from '../../../src/clouds/local/cloud-check.ts'
import { localPaths, readClusterRecord } from '../../../src/clouds/local/records.ts'
import { silent } from '../../../src/events.ts'
import type { Declaration } from '../../../src/spec/types.ts'
import { keys } from '../../../src/store/keys.ts'
import { openStore } from '../../../src/store/open.ts'
import { cloudConformance } from '../../conformance/cloud.ts'
import { declare } from '../../operations/support.ts'
import { setUpBench } from './bench.ts'

cloudConformance('local, on an imagined host', async () => {
  const bench = setUpBench()
  await bench.start()
  return {
    cloud: bench.cloud,
    zones: ['a', 'b'],
    agentSha256: 'none',
    patienceMs: 8_000,
    async close() {
      expect(bench.world.violations).toEqual([])
      await bench.close()
    },
  }
})

describe('what a look costs', () => {
  test('looking at nothing starts no process and makes no folder', async () => {
    const bench = setUpBench()

    expect(await bench.cloud.clusters()).toEqual([])
    expect(await bench.cloud.observe('c')).toEqual({ groups: [], machines: [], volumes: [] })
    expect(await bench.cloud.status()).toBeUndefined()
    expect(existsSync(localPaths(bench.home).root)).toBe(false)
    await bench.close()
  })
})

test('the machines of a cluster of that name in another store are not shown, so nothing is done to them', async () => {
  const bench = setUpBench()
  await bench.start()
  const stores = ['one', 'two'].map((name) => pathToFileURL(join(bench.home.dir, name)).href)
  const [one, two] = stores.map((storeUrl) =>
    openLocalCloud({ home: bench.home, storeUrl, assets: () => Promise.reject(new Error('none here')) }),
  )
  const store = await openStore(stores[0] ?? '')
  await store.put(keys.clusterSpec('c'), 'declared')
  const network: CloudStep = { action: 'create-network', where: 'c', reason: 'a test', egress: 'none' }
  await one?.carryOut('c', network, silent)

  await expect(two?.observe('c')).rejects.toMatchObject({
    code: 'other-store',
    message: expect.stringContaining(stores[0] ?? 'x'),
  })
  expect(await one?.observe('c')).toHaveProperty('network')

  // It was moved: the first one no longer has it.
  await store.delete(keys.clusterSpec('c'))
  expect(await two?.observe('c')).toHaveProperty('network')
  await two?.refreshNetwork?.('c')
  expect((await readClusterRecord(bench.home, 'c'))?.storeUrl).toBe(stores[1])
  await bench.close()
})

test('the machines of another home are not taken for dead, and their store is not deleted from here', async () => {
  const [bench, another] = [setUpBench(), setUpBench()]
  await bench.start()
  await another.start()
  const { storeUrl } = bench.home
  const assets = () => Promise.reject(new Error('none here'))
  const elsewhere = openLocalCloud({ home: another.home, storeUrl, assets })
  const network: CloudStep = { action: 'create-network', where: 'c', reason: 'a test', egress: 'none' }
  await bench.cloud.carryOut('c', network, silent)

  await expect(elsewhere.observe('c')).rejects.toMatchObject({
    code: 'other-home',
    message: expect.stringContaining(bench.home.dir),
  })
  expect(await bench.cloud.observe('c')).toHaveProperty('network')

  // A cluster of that name in its own store changes nothing about it.
  await another.cloud.carryOut('c', network, silent)
  await expect(elsewhere.observe('c')).rejects.toMatchObject({ code: 'other-home' })

  await bench.close()
  expect(await elsewhere.observe('c')).toMatchObject({ machines: [] })
  await another.close()
})

test('this host is checked for as many machines as are declared', async () => {
  const bench = setUpBench()

  const { cluster, groups } = declare()
  const many = groups.map((group) => ({ ...group, spec: { ...group.spec, size: 3_000 } }))

  const problems = await bench.cloud.check({ cluster, groups: many })

  expect(problems.find(({ path }) => path === 'host.memory')?.message).toContain('12000 machines')
  await bench.close()
})

describe('ranges that meet a route of this host', () => {
  const declaration = (networking: object) =>
    ({ cluster: { spec: { networking } }, groups: [] }) as unknown as Declaration
  const routes = [
    { cidr: '10.244.3.0/24', device: 'docker0' },
    { cidr: '10.213.0.0/24', device: 'hf-000000-0' },
  ]

  test('each is named with its route', () => {
    const given = declaration({
      podCidr: '10.244.0.0/16',
      serviceCidr: '10.96.0.0/12',
      machineCidr: '10.213.0.0/24',
    })

    expect(rangeProblems(given, routes)).toMatchObject([
      {
        severity: 'error',
        path: 'spec.networking.podCidr',
        message: expect.stringContaining('10.244.3.0/24 (docker0)'),
      },
      {
        severity: 'error',
        path: 'spec.networking.machineCidr',
        message: expect.stringContaining('hf-000000-0'),
      },
    ])
  })

  test("a cluster's own bridge is no obstacle to itself", () => {
    const given = declaration({
      podCidr: '10.245.0.0/16',
      serviceCidr: '10.96.0.0/12',
      machineCidr: '10.213.0.0/24',
    })

    expect(rangeProblems(given, routes, 'hf-000000-0')).toEqual([])
  })
})
