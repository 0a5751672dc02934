import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundleAgent } from '../src/assets/agent-bundle.ts'
import { resolveAssets } from '../src/assets/resolve.ts'
import { initPid, killMachine, removeMachine, startMachine } from '../src/clouds/local/machine.ts'
import { deleteNetwork, ensureNetwork } from '../src/clouds/local/network.ts'
import type { LocalCluster, LocalMachine } from '../src/clouds/local/parts.ts'
import { localPaths, removeClusterFolder, writeRecord } from '../src/clouds/local/records.ts'
import { kubernetes } from '../src/constants.ts'
import { silent } from '../src/events.ts'
import { type Home, resolveHome } from '../src/home.ts'
import type { Host } from '../src/hosts/host.ts'
import { nspawnHost } from '../src/hosts/nspawn.ts'

export interface KubeadmMachine extends LocalMachine {
  host: Host
}

const name = 'kubeadm'
const bootTimeoutMs = 30_000
const plan = [
  { id: 'kubeadm-1', role: 'master' },
  { id: 'kubeadm-2', role: 'master' },
  { id: 'kubeadm-3', role: 'master' },
  { id: 'kubeadm-4', role: 'node' },
] as const

/**
 * Four machines as the local cloud makes them, from the same root and images, but without its
 * process and with the agent stopped: bare machines for kubeadm. Removed again whatever happens.
 */
export async function withBareMachines<T>(
  folder: string,
  action: (machines: KubeadmMachine[]) => Promise<T>,
): Promise<T> {
  const dir = join(folder, 'kubeadm')
  const home = resolveHome({ ...process.env, HOLDFAST_HOME: dir })
  const cluster: LocalCluster = { name, index: 0, groups: {} }
  await clear(home, cluster)
  try {
    const network = await ensureNetwork(home, cluster, { egress: 'none' })
    await writeRecord(localPaths(home).clusterRecord(name), { ...cluster, network })
    const entry = fileURLToPath(new URL('../src/agent/main.ts', import.meta.url))
    const [assets, bundle] = await Promise.all([
      resolveAssets({ kubernetesVersion: kubernetes.defaultVersion, cache: home.cache, report: silent }),
      bundleAgent(entry, home.cache),
    ])
    const all = { ...assets, agentBundle: bundle.path, agentSha256: bundle.sha256 }
    const prefix = network.cidr.split('.').slice(0, 3).join('.')
    const machines = plan.map((planned, index) => machineOf(home, planned, `${prefix}.${10 + index}`))
    for (const machine of machines) {
      const { host, ...record } = machine
      machine.process = await startMachine(home, record, { bare: true }, all)
    }
    await Promise.all(machines.map(untilBare))
    return await action(machines)
  } finally {
    await clear(home, cluster)
    await rm(dir, { recursive: true, force: true })
  }
}

function machineOf(home: Home, planned: (typeof plan)[number], address: string): KubeadmMachine {
  const machine: LocalMachine = {
    ...planned,
    group: 'bench',
    zone: 'a',
    address,
    state: 'running',
    bootedAt: new Date().toISOString(),
    cluster: name,
    device: `${home.prefix}-k${planned.id.slice(-1)}`,
  }
  const host = nspawnHost(planned.id, () => initPid(whole))
  const whole: KubeadmMachine = Object.assign(machine, { host })
  return whole
}

/** Booted, containerd answers, and no agent runs. */
async function untilBare({ host }: KubeadmMachine): Promise<void> {
  const deadline = Date.now() + bootTimeoutMs
  for (;;) {
    try {
      await host.run(['systemctl', 'disable', '--now', 'holdfast-agent'])
      await host.run(['ctr', '--timeout', '2s', 'version'])
      return
    } catch (error) {
      if (Date.now() > deadline) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

/** Also what an earlier run left that was killed. */
async function clear(home: Home, cluster: LocalCluster): Promise<void> {
  await mkdir(localPaths(home).cluster(name), { recursive: true })
  for (const planned of plan) {
    const { host: _, ...machine } = machineOf(home, planned, '0.0.0.0')
    await killMachine(home, machine)
    await removeMachine(home, machine)
  }
  await deleteNetwork(home, cluster)
  await removeClusterFolder(home, name)
}
