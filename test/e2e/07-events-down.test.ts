import { afterAll, beforeAll, expect, test } from 'vitest'
import { call, ensure, get, type KubeList, type Target, targetOf } from './support/client.ts'
import { nothingLost } from './support/expectations.ts'
import { cloud, inside, machinesOf } from './support/machines.ts'
import { clusterName } from './support/place.ts'
import { mustBeWell, sharedCluster } from './support/state.ts'
import { eventually, throughout } from './support/wait.ts'
import { startWriter } from './support/writer.ts'

let target: Target

beforeAll(async () => {
  await sharedCluster()
  target = targetOf(clusterName)
})

/** Stopped rather than ended: the agent and kubelet would start it again at once. */
const signal = async (name: 'STOP' | 'CONT'): Promise<void> => {
  for (const machine of await machinesOf('master')) {
    const pids = (await inside(machine, "pgrep -f '^etcd .*:4002'")).trim()
    expect(pids).toMatch(/^\d+$/)
    await inside(machine, `kill -${name} ${pids}`)
  }
}

afterAll(async () => {
  await signal('CONT').catch(() => {})
})

interface RestartCounts {
  metadata: { name: string }
  status: { containerStatuses?: { restartCount: number }[] }
}

const apiserverRestarts = async () => {
  const label = encodeURIComponent('component=kube-apiserver')
  const path = `/api/v1/namespaces/kube-system/pods?labelSelector=${label}`
  const { items } = await get<KubeList<RestartCounts>>(target, path)
  return items
    .map(({ metadata, status }) => `${metadata.name} ${status.containerStatuses?.[0]?.restartCount}`)
    .sort()
}

const writeEvent = (name: string) =>
  call(target, 'POST', '/api/v1/namespaces/default/events', {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name },
    involvedObject: { kind: 'Namespace', name: 'default', namespace: 'default' },
    reason: 'Tried',
    type: 'Normal',
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
  await eventually('/readyz names it', 20_000, async () => {
    const { status, body } = await call(target, 'GET', '/readyz?verbose')
    expect(status).toBe(500)
    expect(body).toMatch(/\[-\]etcd-override/)
  })
  const acknowledged = writer.acknowledged()
  await throughout(
    20_000,
    async () => {
      const question = '/readyz?exclude=etcd-override-0&exclude=etcd-override-readiness-0'
      expect((await call(target, 'GET', question)).status).toBe(200)
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
