import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type TLSSocket } from 'node:tls'
import { beforeAll, expect, test } from 'vitest'
import type { Machine } from '../../src/clouds/cloud.ts'
import { type Target, targetOf } from './support/client.ts'
import { nothingLost, slack, votersOf } from './support/expectations.ts'
import { askJson, holdfast } from './support/holdfast.ts'
import { cloud, inside, inventory, leads, machinesOf, pidOf } from './support/machines.ts'
import { clusterName } from './support/place.ts'
import { mustBeWell, sharedCluster } from './support/state.ts'
import { defined, eventually, throughout } from './support/wait.ts'
import { startWriter } from './support/writer.ts'

let target: Target

beforeAll(async () => {
  await sharedCluster()
  target = targetOf(clusterName)
})

test('the local cloud is killed: machines and API go on, and the next command adopts everything', async () => {
  const before = await inventory()
  const pids = await Promise.all(before.machines.map(pidOf))
  const killed = defined(await cloud().status(), 'local cloud')
  const writer = await startWriter(target)

  process.kill(killed.pid, 'SIGKILL')
  await eventually('it is gone', 5_000, async () => expect(await cloud().status()).toBeUndefined(), 50)
  const acknowledged = writer.acknowledged()
  await eventually('writes go on without it', 20_000, async () =>
    expect(writer.acknowledged()).toBeGreaterThan(acknowledged + 30),
  )
  expect(await cloud().status()).toBeUndefined()
  const listed = await askJson<{ id: string }[]>(['get', 'machines', clusterName])

  expect(listed.map(({ id }) => id).sort()).toEqual(before.machines.map(({ id }) => id).sort())
  expect(defined(await cloud().status(), 'local cloud').pid).not.toBe(killed.pid)
  const after = await inventory()
  expect(after).toEqual(before)
  expect(await Promise.all(after.machines.map(pidOf))).toEqual(pids)
  nothingLost(await writer.stop(), 30)
  await mustBeWell()
})

test('the agent is killed on a master and on the worker: systemd starts it again, nobody notices', async () => {
  const [master] = await machinesOf('master')
  const [worker] = await machinesOf('node')
  const property = (machine: { id: string }, name: string) =>
    inside(machine, `systemctl show --property=${name} --value holdfast-agent`)
  const left = (machine: { id: string }) =>
    inside(machine, 'cat /sys/class/net/hf-vxlan/ifindex; ip route show proto 72; pgrep -x kubelet')
  const writer = await startWriter(target)

  for (const machine of [defined(master, 'master'), defined(worker, 'worker')]) {
    const pid = (await property(machine, 'MainPID')).trim()
    const restarts = Number(await property(machine, 'NRestarts'))
    const network = await left(machine)
    expect(network).toMatch(/^\d+\n.* dev hf-vxlan /)
    expect(Number(pid)).toBeGreaterThan(1)
    await inside(machine, `kill -9 ${pid}`)
    await eventually('systemd starts it again', 30_000, async () => {
      expect((await property(machine, 'ActiveState')).trim()).toBe('active')
      expect(Number(await property(machine, 'NRestarts'))).toBe(restarts + 1)
      expect((await property(machine, 'MainPID')).trim()).not.toBe(pid)
    })
    // The same device, routes and kubelet: pods' connections go on while the new one looks at them.
    await throughout(5_000, async () => expect(await left(machine)).toBe(network), 250)
  }

  const writes = await writer.stop()
  nothingLost(writes, 10)
  expect(writes.failed).toBeLessThanOrEqual(Math.ceil(writes.sent * 0.03))
  await mustBeWell()
})

test('an apiserver hangs: it is out of the balancer within 2 s, and kept connections through it are closed', async () => {
  const { kept, master } = await keptConnection()
  const closed = once(kept, 'close')
  const writer = await startWriter(target)
  await eventually('writes', 10_000, async () => expect(writer.acknowledged()).toBeGreaterThan(20))

  await inside(master, 'pkill -STOP -x kube-apiserver')
  const began = Date.now()
  let out: number | undefined
  try {
    await eventually(
      'the balancer takes it out',
      20_000,
      async () => {
        const servers = (await cloud().endpointTargets?.(clusterName)) ?? []
        expect(servers.find(({ name }) => name === master.id)?.up).toBe(false)
      },
      50,
    )
    out = Date.now() - began
    await Promise.race([closed, sleep(6_000 * slack)])
    expect(kept.destroyed).toBe(true)
    const before = writer.acknowledged()
    await eventually('writes go on', 10_000, async () =>
      expect(writer.acknowledged()).toBeGreaterThan(before + 40),
    )
  } finally {
    await inside(master, 'pkill -CONT -x kube-apiserver')
    kept.destroy()
  }
  expect(out).toBeLessThan(2_000 * slack)
  const writes = await writer.stop()
  nothingLost(writes, 60)
  expect(writes.longestGapMs).toBeLessThan(2_000 * slack)
  await mustBeWell()
})

test('a member of etcd that serves nothing is started again, and serves as soon as the others are heard', async () => {
  const master = await follower()
  const voters = await votersOf('main')
  const etcd = async (): Promise<string> => (await inside(master, "pgrep -f '^etcd .*:2379'")).trim()
  const said = () => inside(master, 'journalctl --no-pager -q -b -u holdfast-agent')
  const before = await etcd()
  const writer = await startWriter(target)

  // Clients, and so its own agent, still reach it.
  await inside(
    master,
    `nft -f - <<'END'
table inet cut {
  chain in { type filter hook input priority -300; tcp dport 2380 drop; tcp sport 2380 drop; }
  chain out { type filter hook output priority -300; tcp dport 2380 drop; tcp sport 2380 drop; }
}
END`,
  )
  try {
    await eventually('validate names it', 20_000, async () => {
      const { out } = await holdfast(['validate', 'cluster', clusterName])
      expect(out).toMatch(/etcd main.* answers, but no linearizable read/)
    })
    await eventually('it is ended', 60_000, async () => {
      expect(await said()).toMatch(/etcd main: restart: the others have a quorum, but for 3\d s/)
      expect(await etcd()).not.toContain(before)
    })
    await eventually('it runs again', 30_000, async () => expect(await etcd()).toMatch(/^\d+$/))
  } finally {
    await inside(master, 'nft delete table inet cut')
  }

  await mustBeWell()
  expect(await votersOf('main')).toEqual(voters)
  nothingLost(await writer.stop(), 100)
})

/** A master whose member of `main` does not lead. */
async function follower(): Promise<Machine> {
  for (const machine of await machinesOf('master')) {
    if (!(await leads(machine, 'main'))) return machine
  }
  throw new Error('every master leads')
}

/** A connection through the endpoint, and the master that it ends at: each apiserver's certificate names its address. */
async function keptConnection(): Promise<{ kept: TLSSocket; master: Machine }> {
  const { server, ca, cert, key } = target
  const { hostname, port } = new URL(server)
  const kept = connect({ host: hostname, port: Number(port), ca, cert, key })
  kept.on('error', () => {})
  await once(kept, 'secureConnect')
  const names = kept.getPeerCertificate().subjectaltname?.split(', ') ?? []
  const masters = await machinesOf('master')
  return {
    kept,
    master: defined(
      masters.find(({ address }) => names.includes(`IP Address:${address}`)),
      'master',
    ),
  }
}
