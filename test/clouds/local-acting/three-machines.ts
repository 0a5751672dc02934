import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { get } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { resolveAssets } from '../../../src/assets/resolve.ts'
import { stopBalancer } from '../../../src/balancer/haproxy.ts'
import { killMachine, removeMachine, startMachine } from '../../../src/clouds/local/machine.ts'
import { deleteNetwork, ensureNetwork } from '../../../src/clouds/local/network.ts'
import type { LocalCluster, LocalMachine, MachineAssets } from '../../../src/clouds/local/parts.ts'
import { allPids, commandLine, waitFor } from '../../../src/clouds/local/process.ts'
import { localPaths, writeRecord } from '../../../src/clouds/local/records.ts'
import { kubernetes } from '../../../src/constants.ts'
import { silent } from '../../../src/events.ts'
import { type Home, resolveHome } from '../../../src/home.ts'
import type { Host } from '../../../src/hosts/host.ts'
import { localHost, sha256OfFile } from '../../../src/hosts/local.ts'

export interface ThreeMachines {
  home: Home
  assets: MachineAssets
  cluster: LocalCluster
  /** Not started yet; `process` is filled by `start`. */
  machines: LocalMachine[]
  /** Makes the bridge and gives the machines their addresses. */
  network(): Promise<void>
  start(machine: LocalMachine): Promise<void>
  /** Everything of this home that the kernel shows. */
  visible(): Promise<string>
  clear(): Promise<void>
}

/** Three machines in a home of their own, with an agent that only says that it runs. */
export async function threeMachines(): Promise<ThreeMachines> {
  const dir = await mkdtemp(join(tmpdir(), 'hf-acting-'))
  const { cache } = resolveHome({ ...process.env, HOLDFAST_HOME: dir })
  const home = { ...resolveHome({ HOLDFAST_HOME: dir }), cache }
  const agentBundle = join(dir, 'agent.cjs')
  await writeFile(agentBundle, "console.log('agent runs', process.version); setInterval(() => {}, 1e6)\n")
  const resolved = await resolveAssets({
    kubernetesVersion: kubernetes.defaultVersion,
    cache,
    report: silent,
  })
  const assets = { ...resolved, agentBundle, agentSha256: await sha256OfFile(agentBundle) }
  const cluster: LocalCluster = { name: 'try.example.com', index: 0, groups: {} }
  const machines = ['a', 'b', 'c'].map(
    (letter): LocalMachine => ({
      id: `master-${letter}-x${letter}`,
      cluster: cluster.name,
      group: `master-${letter}`,
      role: 'master',
      zone: 'z',
      address: '',
      state: 'starting',
      bootedAt: new Date().toISOString(),
      device: `${home.prefix}-x${letter}`,
    }),
  )
  return {
    home,
    assets,
    cluster,
    machines,
    async network() {
      cluster.network = await ensureNetwork(home, cluster, { egress: 'none' })
      await writeRecord(localPaths(home).clusterRecord(cluster.name), cluster)
      const base = cluster.network.cidr.split('.').slice(0, 3).join('.')
      for (const [index, machine] of machines.entries()) machine.address = `${base}.${index + 2}`
    },
    async start(machine) {
      machine.process = await startMachine(home, machine, { machineId: machine.id }, assets)
    },
    visible: () => visible(home),
    async clear() {
      for (const machine of machines) {
        await killMachine(home, machine)
        await removeMachine(home, machine)
      }
      await stopBalancer(home, cluster)
      await deleteNetwork(home, cluster)
      await rm(dir, { recursive: true, force: true })
    },
  }
}

async function visible(home: Home): Promise<string> {
  const script = `
    ip -brief link | grep "$1" | awk '{ print "link", $1 }'
    losetup --noheadings --output BACK-FILE | grep "$2" | sed 's/^/loop /'
    grep "$2" /proc/self/mountinfo | sed 's/^/mount /'
    nft list tables | grep "$1"
    find /sys/fs/cgroup -name "$1*" 2>/dev/null | sed 's/^/group /'
    :`
  const { stdout } = await localHost().run(['sh', '-c', script, 'sh', home.prefix, home.dir])
  const lines = await Promise.all((await allPids()).map(async (pid) => (await commandLine(pid)).join(' ')))
  return stdout + lines.filter((line) => line.includes(home.dir)).join('\n')
}

/** What systemd says of the machine once its boot is over. */
export const stateOf = (host: Host): Promise<string | undefined> =>
  waitFor(
    () =>
      host.run(['systemctl', 'is-system-running', '--wait'], { timeoutMs: 20_000 }).then(
        ({ stdout }) => stdout.trim(),
        () => undefined,
      ),
    20_000,
  )

/** On a new connection, at most a second. */
export function askOnce(endpoint: { address: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    const options = {
      host: endpoint.address,
      port: endpoint.port,
      rejectUnauthorized: false,
      agent: false,
      timeout: 1_000,
    }
    const request = get(options, (response) => response.resume().on('end', resolve).on('error', reject))
    request.on('timeout', () => request.destroy(new Error('no answer')))
    request.on('error', reject)
  })
}
