import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { get, nodes, type Target, targetOf } from './support/client.ts'
import { nothingLost, nothingStale, votersOf } from './support/expectations.ts'
import { cloud, etcdIds, inside, machinesOf, masterOf, members } from './support/machines.ts'
import { clusterName, homeFolder } from './support/place.ts'
import { mustBeWell, sharedCluster } from './support/state.ts'
import { eventually, throughout } from './support/wait.ts'
import { startWriter } from './support/writer.ts'

let target: Target

beforeAll(async () => {
  await sharedCluster()
  target = targetOf(clusterName)
})

test('a master makes again what kubeadm had not written to its end, and what has expired', async () => {
  const master = await masterOf('c')
  // A key whose certificate was not written yet, one of another issue, a kubeconfig that is cut off, and one
  // that is over when the machine boots.
  await inside(
    master,
    `cd /etc/kubernetes && : >pki/apiserver.crt && : >admin.conf && : >controller-manager.conf &&
    cp pki/apiserver.key pki/front-proxy-client.key &&
    sed 's/"kind": "ClusterConfiguration",/& "certificateValidityPeriod": "1s",/' /etc/holdfast/kubeadm.yaml >/run/short.yaml &&
    kubeadm certs renew scheduler.conf --config=/run/short.yaml`,
  )

  await cloud().power(master.id, 'reboot')

  await eventually('it says so', 60_000, async () => {
    const journal = await inside(master, 'journalctl --no-pager -q -b -u holdfast-agent')
    expect(journal).toMatch(/made again: .*pki\/apiserver.crt.*admin.conf.*scheduler.conf/)
  })
  await mustBeWell()
})

test('a master that boots without its volumes starts no etcd, and returns as the same member with them', async () => {
  const master = await masterOf('b')
  const other = await masterOf('a')
  const before = { main: await votersOf('main'), events: await votersOf('events') }
  const ids = await etcdIds(other, 'main')
  const writer = await startWriter(target)

  await cloud().power(master.id, 'reboot', { withholdVolumes: true })

  // Long enough for an agent that starts something wrong to have done so.
  await eventually('the agent says what it waits for', 60_000, async () => {
    const journal = await inside(master, 'journalctl --no-pager -q -b -u holdfast-agent')
    expect(journal).toMatch(/etcd main: .*withheld/)
    expect(journal).toMatch(/etcd events: .*withheld/)
  })
  await throughout(15_000, async () => {
    const manifests = await inside(master, 'ls /etc/kubernetes/manifests')
    expect(manifests).not.toContain('etcd')
    expect(await inside(master, 'pgrep -x etcd || true')).toBe('')
  })
  for (const etcd of ['main', 'events'] as const) {
    const listed = await members(other, etcd)
    expect(new Map(listed.map(({ name, id }) => [name, id]))).toEqual(before[etcd])
  }
  expect(await etcdIds(other, 'main')).toEqual(ids)

  await cloud().releaseVolumes(master.id)

  await mustBeWell()
  expect(await votersOf('main')).toEqual(before.main)
  expect(await votersOf('events')).toEqual(before.events)
  expect((await masterOf('b')).id).toBe(master.id)
  expect((await etcdIds(master, 'main')).member).toBe(before.main.get('b'))
  nothingLost(await writer.stop(), 100)
})

test('all masters boot at once, with new addresses and the store away: API and data come back', async () => {
  const store = join(homeFolder, 'store')
  const before = await machinesOf('master')
  const voters = { main: await votersOf('main'), events: await votersOf('events') }
  const nodesBefore = await nodes(target)
  const writer = await startWriter(target)
  await eventually('it writes', 10_000, async () => expect(writer.acknowledged()).toBeGreaterThan(20))
  const writes = await writer.stop({ keep: true })

  // A file in its place: whoever would make the folder anew cannot.
  renameSync(store, `${store}.away`)
  writeFileSync(store, 'away')
  try {
    await Promise.all(before.map(({ id }) => cloud().power(id, 'reboot', { newAddress: true })))

    await eventually('the API comes back with the data', 180_000, async () => {
      expect(await writes.missing()).toEqual([])
    })
    const after = await machinesOf('master')
    expect(after.map(({ id }) => id)).toEqual(before.map(({ id }) => id))
    for (const [index, machine] of after.entries()) expect(machine.address).not.toBe(before[index]?.address)
    await eventually('both etcd clusters are whole', 120_000, async () => {
      expect(await votersOf('main')).toEqual(voters.main)
      expect(await votersOf('events')).toEqual(voters.events)
    })
    await eventually('nodes tell their new addresses', 120_000, async () => {
      const now = await nodes(target)
      expect(now.map(({ metadata }) => metadata.uid).sort()).toEqual(
        nodesBefore.map(({ metadata }) => metadata.uid).sort(),
      )
      for (const { id, address } of after) {
        const node = now.find(({ metadata }) => metadata.name === id)
        expect(node?.status.addresses).toContainEqual({ type: 'InternalIP', address })
      }
    })
    expect(existsSync(join(store, clusterName))).toBe(false)
  } finally {
    rmSync(store)
    renameSync(`${store}.away`, store)
  }

  await mustBeWell()
  await nothingStale(target)
  expect(await votersOf('main')).toEqual(voters.main)
  nothingLost(await writes.stop(), 20)
  const canary = await get<{ data: object }>(target, '/api/v1/namespaces/kube-system/configmaps/holdfast')
  expect(canary.data).toBeDefined()
})
