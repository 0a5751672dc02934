import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Machine } from '../../src/clouds/cloud.ts'
import { ports } from '../../src/constants.ts'
import { call, ensure, get, type KubeList, type Target, targetOf } from './support/client.ts'
import { nothingLost } from './support/expectations.ts'
import { cloud, inside, machinesOf } from './support/machines.ts'
import { clusterName } from './support/place.ts'
import { mustBeWell, sharedCluster } from './support/state.ts'
import { defined, eventually, throughout } from './support/wait.ts'
import { startWriter } from './support/writer.ts'

let target: Target

beforeAll(async () => {
  await sharedCluster()
  target = targetOf(clusterName)
})

/** Stopped rather than ended: the agent and kubelet would start it again at once. */
const signal = async (name: 'STOP' | 'CONT', machines?: readonly Machine[]): Promise<void> => {
  for (const machine of machines ?? (await machinesOf('master'))) {
    const pids = (await inside(machine, "pgrep -f '^etcd .*:4002'")).trim()
    expect(pids).toMatch(/^\d+$/)
    await inside(machine, `kill -${name} ${pids}`)
  }
}

afterAll(async () => {
  await signal('CONT').catch(() => {})
})

interface ApiserverPod {
  metadata: { name: string }
  spec: {
    containers: Record<
      'startupProbe' | 'livenessProbe' | 'readinessProbe',
      { httpGet: { path: string } } | undefined
    >[]
  }
  status: { containerStatuses?: { restartCount: number }[] }
}

const apiservers = async (): Promise<ApiserverPod[]> => {
  const label = encodeURIComponent('component=kube-apiserver')
  const path = `/api/v1/namespaces/kube-system/pods?labelSelector=${label}`
  return (await get<KubeList<ApiserverPod>>(target, path)).items
}

const apiserverRestarts = async () =>
  (await apiservers())
    .map(({ metadata, status }) => `${metadata.name} ${status.containerStatuses?.[0]?.restartCount}`)
    .sort()

const eventsChecks = ['etcd-override-0', 'etcd-override-readiness-0']
const readyWithoutEvents = `/readyz?${eventsChecks.map((name) => `exclude=${name}`).join('&')}`

const namesEvents = (asked: Target) =>
  eventually('/readyz names `events`', 20_000, async () => {
    const { status, body } = await call(asked, 'GET', '/readyz?verbose')
    expect(status).toBe(500)
    expect(body).toMatch(/\[-\]etcd-override/)
  })

const writeEvent = (name: string) =>
  call(target, 'POST', '/api/v1/namespaces/default/events', {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name },
    involvedObject: { kind: 'Namespace', name: 'default', namespace: 'default' },
    reason: 'Tried',
    type: 'Normal',
  })

test('no probe of an apiserver asks about `events`: kubelet would end all of them', async () => {
  const pods = await apiservers()
  const masters = await machinesOf('master')

  expect(pods.map(({ metadata }) => metadata.name).sort()).toEqual(
    masters.map(({ id }) => `kube-apiserver-${id}`).sort(),
  )
  for (const { metadata, spec } of pods) {
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe'] as const) {
      const path = defined(spec.containers[0]?.[probe], `${probe} of ${metadata.name}`).httpGet.path
      expect(new URL(path, target.server).searchParams.getAll('exclude').sort()).toEqual(eventsChecks)
    }
  }
})

test('`events` is stopped on all masters: the API stays ready and writes to `main` go on', async () => {
  const restarts = await apiserverRestarts()
  expect(restarts).toHaveLength(3)
  expect((await writeEvent(`before-${Date.now()}`)).status).toBe(201)
  const writer = await startWriter(target)
  await eventually('it writes', 10_000, async () => expect(writer.acknowledged()).toBeGreaterThan(10))

  await signal('STOP')

  // It really is down: an event cannot be written, and the unfiltered question says so.
  await expect(writeEvent(`during-${Date.now()}`)).rejects.toThrow()
  await namesEvents(target)
  const acknowledged = writer.acknowledged()
  await throughout(
    20_000,
    async () => {
      expect((await call(target, 'GET', readyWithoutEvents)).status).toBe(200)
      const targets = (await cloud().endpointTargets?.(clusterName)) ?? []
      expect(targets.map(({ up }) => up)).toEqual([true, true, true])
    },
    1_000,
  )
  expect(writer.acknowledged()).toBeGreaterThan(acknowledged + 100)

  await signal('CONT')

  nothingLost(await writer.stop(), 100)
  await eventually('events are written again', 60_000, async () =>
    expect((await writeEvent(`after-${Date.now()}`)).status).toBe(201),
  )
  expect(await apiserverRestarts()).toEqual(restarts)
  await mustBeWell()
  await ensure(target, '/api/v1/namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'after-events' },
  })
})

test('`events` has no quorum: an apiserver that is killed is ready again all the same', async () => {
  const [master, ...others] = await machinesOf('master')
  const killed = defined(master, 'master')
  // Past the endpoint, which would ask the others.
  const own = { ...target, server: `https://${killed.address}:${ports.apiserver}` }
  const pidOfApiserver = async () => (await inside(killed, 'pgrep -x kube-apiserver')).trim()
  const before = await pidOfApiserver()
  expect(before).toMatch(/^\d+$/)
  const writer = await startWriter(target)

  // Its own member lives: an apiserver gives up after 20 s where nobody takes its connection.
  await signal('STOP', others)
  await namesEvents(own)
  await inside(killed, `kill -9 ${before}`)

  await eventually('another process is ready', 60_000, async () => {
    expect(await pidOfApiserver()).not.toBe(before)
    expect((await call(own, 'GET', readyWithoutEvents)).status).toBe(200)
  })
  await namesEvents(own)

  await signal('CONT', others)
  nothingLost(await writer.stop(), 50)
  await mustBeWell()
})
