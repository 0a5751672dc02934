import { readFileSync } from 'node:fs'
import { beforeAll, expect, test } from 'vitest'
import {
  groupsOf,
  linksOf,
  loopsOf,
  mountsOf,
  processesOf,
  removeLeftovers,
  tablesOf,
} from '../../scripts/leftovers.ts'
import { nodes, targetOf } from './support/client.ts'
import { nothingLost, nothingStale, votersOf } from './support/expectations.ts'
import { mustRun } from './support/holdfast.ts'
import { etcdIds, inventory, machinesOf } from './support/machines.ts'
import { base, clusterName, home, kubeconfigFile } from './support/place.ts'
import { probes, servicesWork } from './support/probe.ts'
import { mustBeWell, sharedCluster } from './support/state.ts'
import { defined, eventually } from './support/wait.ts'
import { startWriter } from './support/writer.ts'

beforeAll(async () => {
  await sharedCluster()
})

test('after a reboot of this host `up` brings the same cluster back with its data', async () => {
  const target = targetOf(clusterName)
  const place = { base, prefix: home().prefix }
  const before = await inventory()
  const voters = { main: await votersOf('main'), events: await votersOf('events') }
  const ids = await etcdIds(defined((await machinesOf('master'))[0], 'master'), 'main')
  const uids = (await nodes(target)).map(({ metadata }) => metadata.uid).sort()
  const kubeconfig = readFileSync(kubeconfigFile, 'utf8')
  const hadProbes = (await probes(target, 'on-masters')).length > 0
  const writer = await startWriter(target)
  await eventually('it writes', 10_000, async () => expect(writer.acknowledged()).toBeGreaterThan(20))
  // Whatever is acknowledged up to the very last moment counts: it writes while everything is killed.
  expect(processesOf(place).length).toBeGreaterThan(20)
  expect(linksOf(place)).toHaveLength(before.machines.length + 1)
  expect(loopsOf(place)).toHaveLength(before.volumes.length)
  expect(tablesOf(place).length).toBeGreaterThan(0)

  await removeLeftovers(place, () => {})
  const writes = await writer.stop({ keep: true })

  for (const left of [processesOf, linksOf, loopsOf, mountsOf, tablesOf, groupsOf])
    expect(left(place)).toEqual([])

  await mustRun(['up', clusterName], 400_000)

  const after = await inventory()
  const stable = ({ machines, volumes, ...rest }: typeof before) => ({
    ...rest,
    machines: machines.map(({ bootedAt: _when, ...machine }) => machine),
    volumes,
  })
  expect(stable(after)).toEqual(stable(before))
  expect(await votersOf('main')).toEqual(voters.main)
  expect(await votersOf('events')).toEqual(voters.events)
  expect((await etcdIds(defined((await machinesOf('master'))[0], 'master'), 'main')).cluster).toBe(
    ids.cluster,
  )
  expect(readFileSync(kubeconfigFile, 'utf8')).toBe(kubeconfig)
  expect((await nodes(target)).map(({ metadata }) => metadata.uid).sort()).toEqual(uids)
  nothingLost(await writes.stop(), 20)
  await nothingStale(target)
  await mustBeWell()
  if (hadProbes) await servicesWork(clusterName, 120_000)
})
