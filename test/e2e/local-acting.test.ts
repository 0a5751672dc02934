import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { balancerState, ensureBalancer, stopBalancer } from '../../src/balancer/haproxy.ts'
import {
  findMachines,
  initPid,
  isAlive,
  killMachine,
  removeMachine,
  startMachine,
} from '../../src/clouds/local/machine.ts'
import { deleteNetwork } from '../../src/clouds/local/network.ts'
import type { LocalCluster, LocalMachine, LocalVolume, MachineAssets } from '../../src/clouds/local/parts.ts'
import { waitFor } from '../../src/clouds/local/process.ts'
import { localPaths } from '../../src/clouds/local/records.ts'
import { attachments, attachVolume, createVolume, deleteVolume } from '../../src/clouds/local/volume.ts'
import { kubernetes } from '../../src/constants.ts'
import type { Home } from '../../src/home.ts'
import { nspawnHost } from '../../src/hosts/nspawn.ts'
import { askOnce, stateOf, type ThreeMachines, threeMachines } from '../clouds/local-acting/three-machines.ts'
import { hostConformance } from '../conformance/host.ts'
import { selfSigned } from './support/tls-server.ts'

const pauseImage = 'registry.k8s.io/pause:3.10.2'

let three: ThreeMachines
let home: Home
let assets: MachineAssets
let cluster: LocalCluster
let machines: LocalMachine[]
let before: string

const host = (machine: LocalMachine | undefined) => {
  if (!machine) throw new Error('no such machine')
  return nspawnHost(machine.id, () => initPid(machine))
}
const at = (index: number): LocalMachine => {
  const machine = machines[index]
  if (!machine) throw new Error(`no machine ${index}`)
  return machine
}

const start = (machine: LocalMachine): Promise<void> => three.start(machine)
const visible = (): Promise<string> => three.visible()
const untilBooted = async (machine: LocalMachine) => expect(await stateOf(host(machine))).toBe('running')

beforeAll(async () => {
  three = await threeMachines()
  ;({ home, assets, cluster, machines } = three)
  before = await visible()
  await three.network()
  await Promise.all(machines.map(start))
  await Promise.all(machines.map(untilBooted))
})

afterAll(() => three?.clear())

describe('three machines on a bridge', () => {
  test('reach each other and nothing else', async () => {
    for (const machine of machines) {
      for (const other of machines) {
        const { stdout } = await host(machine).run([
          'sh',
          '-c',
          `echo | timeout 2 socat - TCP:${other.address}:1 2>&1; ip neigh show ${other.address}; ip route`,
        ])
        // Refused by the other machine itself: it was reached.
        expect(stdout).toContain('Connection refused')
        expect(stdout).not.toContain('default')
      }
    }
    const out = host(at(0)).run(['timeout', '2', 'socat', '-', 'TCP:198.51.100.1:80'])
    await expect(out).rejects.toMatchObject({ stderr: expect.stringContaining('Network is unreachable') })
  })

  test('have containerd with the images, run pause, the agent, and empty manifests on tmpfs', async () => {
    for (const machine of machines) {
      const inside = host(machine)
      await inside.run(['systemctl', 'is-active', 'containerd', 'holdfast-agent'])
      const images = await inside.run(['ctr', '-n', 'k8s.io', 'images', 'ls', '-q'])
      expect(images.stdout).toContain(`registry.k8s.io/kube-apiserver:v${kubernetes.defaultVersion}`)
      await inside.run(['ctr', '-n', 'k8s.io', 'run', '--detach', pauseImage, 'try'])
      const tasks = await inside.run(['ctr', '-n', 'k8s.io', 'tasks', 'ls'])
      expect(tasks.stdout).toMatch(/try\s+\d+\s+RUNNING/)
      const journal = await inside.run(['journalctl', '--no-pager', '-u', 'holdfast-agent'])
      expect(journal.stdout).toContain('agent runs v24')
      const manifests = await inside.run([
        'sh',
        '-c',
        'findmnt -n -o FSTYPE /etc/kubernetes/manifests; ls -A /etc/kubernetes/manifests',
      ])
      expect(manifests.stdout).toBe('tmpfs\n')
      expect(await inside.readFile('/etc/holdfast/identity.json')).toContain(machine.id)
      expect((await inside.run(['hostname'])).stdout.trim()).toBe(machine.id)
      for (const tool of ['kubelet', 'kubeadm', 'kubectl', 'ctr', 'etcdctl'])
        await inside.run(['which', tool])
      const failed = await inside.run(['systemctl', 'list-units', '--failed', '--no-legend'])
      expect(failed.stdout).toBe('')
    }
  })

  test('a second start of a running machine changes nothing', async () => {
    const first = at(0).process
    await start(at(0))

    expect(at(0).process).toEqual(first)
  })

  test('are found from the kernel alone', async () => {
    const found = await findMachines(home)

    expect(
      found
        .map(({ id, cluster: name, process }) => ({ id, name, process }))
        .sort((x, y) => x.id.localeCompare(y.id)),
    ).toEqual(machines.map(({ id, process }) => ({ id, name: cluster.name, process })))
  })

  test('each has control groups of its own: one does not see the other’s', async () => {
    await host(at(0)).run([
      'sh',
      '-c',
      'mkdir -p /sys/fs/cgroup/memory/only-a 2>/dev/null || mkdir -p /sys/fs/cgroup/only-a',
    ])
    const other = await host(at(1)).run([
      'sh',
      '-c',
      'ls -d /sys/fs/cgroup/only-a /sys/fs/cgroup/memory/only-a 2>/dev/null || :',
    ])

    expect(other.stdout).toBe('')
  })
})

hostConformance('nspawn', async () => ({ host: host(at(0)), folder: '/root/conformance' }))

describe('the balancer before machines', () => {
  const server = `
    const { readFileSync } = require('node:fs')
    const options = { key: readFileSync('/root/tls/key'), cert: readFileSync('/root/tls/cert') }
    require('node:https').createServer(options, (request, response) => response.end(require('node:os').hostname())).listen(6443)`

  test('a machine that is switched off is out within a second; what was on its way there is tried elsewhere', async () => {
    const { key, cert } = await selfSigned('apiserver')
    for (const machine of machines) {
      await host(machine).writeFile('/root/tls/key', key)
      await host(machine).writeFile('/root/tls/cert', cert)
      await host(machine).writeFile('/root/tls/server.cjs', server)
      await host(machine).run([
        'systemd-run',
        '--unit=apiserver',
        '/opt/holdfast/node',
        '/root/tls/server.cjs',
      ])
    }
    const endpoint = { address: cluster.network?.gateway ?? '', port: 6443 }
    cluster.endpoint = endpoint
    const targets = machines.map(({ id, address }) => ({ name: id, address }))
    await ensureBalancer(home, cluster, targets, { machineRoot: assets.machineRoot })
    const state = async () =>
      (await balancerState(home, cluster))?.servers.filter((each) => each.state === 'up').length
    expect(await waitFor(async () => (await state()) === 3, 10_000)).toBe(true)

    let killed = 0
    const asked: Promise<{ ok: boolean; startedAt: number; tookMs: number }>[] = []
    const ask = async (startedAt = performance.now()) => {
      const ok = await askOnce(endpoint).then(
        () => true,
        () => false,
      )
      return { ok, startedAt, tookMs: performance.now() - startedAt }
    }
    for (let index = 0; index < 80; index++) {
      if (index === 20) {
        killed = performance.now()
        void killMachine(home, at(2))
      }
      asked.push(ask())
      await sleep(50)
    }
    const results = await Promise.all(asked)
    const out = await waitFor(async () => (await state()) === 2, 1_000)

    expect(out).toBe(true)
    const failed = results.filter(({ ok }) => !ok)
    // Those that were established at that very moment cannot be saved.
    expect(failed.length).toBeLessThanOrEqual(2)
    for (const { startedAt } of failed) expect(startedAt - killed).toBeLessThan(500)
    expect(Math.max(...results.filter(({ ok }) => ok).map(({ tookMs }) => tookMs))).toBeLessThan(1_000)
    await stopBalancer(home, cluster)
    await start(at(2))
    await untilBooted(at(2))
  })
})

describe('volumes and machines that die', () => {
  const volume: LocalVolume = {
    id: 'vol-a-main',
    cluster: 'try.example.com',
    seat: 'a',
    etcd: 'main',
    zone: 'z',
    sizeGib: 1,
  }

  test('a volume goes to one machine, keeps what was synced when that is killed, and goes to the next', async () => {
    await createVolume(home, volume)
    const race = await Promise.allSettled([
      attachVolume(home, volume, at(0)),
      attachVolume(home, volume, at(1)),
    ])
    const winner = race[0]?.status === 'fulfilled' ? at(0) : at(1)
    const loser = winner === at(0) ? at(1) : at(0)

    expect(race.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    expect(await attachments(home, cluster.name, machines)).toEqual(new Map([[volume.id, winner.id]]))
    const device = `/dev/holdfast-${volume.id}`
    const write = `mkfs.ext4 -q -E nodiscard ${device} && mkdir -p /mnt/v && mount ${device} /mnt/v && df --output=size -BM /mnt/v | tail -1 && echo kept >/mnt/v/file && sync /mnt/v/file`
    const { stdout } = await host(winner).run(['sh', '-c', write])
    expect(Number.parseInt(stdout, 10)).toBeGreaterThan(900)
    expect(Number.parseInt(stdout, 10)).toBeLessThan(1_025)
    await expect(attachVolume(home, volume, loser)).rejects.toMatchObject({
      code: 'volume-busy',
      message: expect.stringContaining(winner.id),
    })
    await expect(deleteVolume(home, volume)).rejects.toMatchObject({ code: 'volume-busy' })

    const begin = performance.now()
    await killMachine(home, winner)
    const took = performance.now() - begin

    expect(took).toBeLessThan(1_000)
    expect(await isAlive(winner)).toBe(false)
    expect(existsSync(`/sys/class/net/${winner.device}`)).toBe(false)
    expect(await attachVolume(home, volume, loser)).toEqual({ device })
    const read = await host(loser).run([
      'sh',
      '-c',
      `mkdir -p /mnt/v && mount ${device} /mnt/v && cat /mnt/v/file`,
    ])
    expect(read.stdout).toBe('kept\n')
  })

  test('a killed machine boots again on its own disk; what a boot must find empty is empty', async () => {
    const dead = machines.find(
      (machine) => machine.id !== undefined && !existsSync(`/sys/class/net/${machine.device}`),
    )
    if (!dead) throw new Error('none was killed')

    await start(dead)
    await untilBooted(dead)

    const inside = host(dead)
    const { stdout } = await inside.run([
      'sh',
      '-c',
      'ls -d /root/conformance /var/log/journal/* 2>/dev/null; ls -A /etc/kubernetes/manifests; ls /dev/holdfast-* 2>/dev/null; ctr -n k8s.io containers ls -q',
    ])
    expect(stdout).toContain('/var/log/journal/')
    expect(stdout).toContain('try')
    expect(stdout).not.toContain('/dev/holdfast')
  })

  test('a machine whose disk is in use is not removed', async () => {
    await expect(removeMachine(home, at(2))).rejects.toMatchObject({ code: 'machine-alive' })
    expect(existsSync(localPaths(home).machine(cluster.name, at(2).id))).toBe(true)
  })

  test('a changed agent is refused before anything starts', async () => {
    await killMachine(home, at(2))
    const wrong = { ...assets, agentSha256: '0'.repeat(64) }

    const started = startMachine(home, at(2), {}, wrong)

    await expect(started).rejects.toMatchObject({ code: 'agent-checksum' })
    expect((await findMachines(home)).map(({ id }) => id)).not.toContain(at(2).id)
  })

  test('everything that was killed from outside, even nspawn itself, is cleared by the next kill', async () => {
    process.kill(at(0).process?.pid ?? 0, 'SIGKILL')
    await sleep(50)

    const { process: _unknown, ...withoutRecord } = at(0)
    await killMachine(home, withoutRecord)

    expect((await findMachines(home)).map(({ id }) => id)).not.toContain(at(0).id)
    expect(await visible()).not.toContain(at(0).device)
  })

  test('after everything is deleted there is no difference on the host', async () => {
    for (const machine of machines) {
      await killMachine(home, machine)
      await removeMachine(home, machine)
    }
    await deleteVolume(home, volume)
    await deleteNetwork(home, cluster)

    expect(await visible()).toBe(before)
    expect(await readFile('/proc/mounts', 'utf8')).not.toContain(home.dir)
    expect(existsSync(localPaths(home).machine(cluster.name, at(0).id))).toBe(false)
  })
})
