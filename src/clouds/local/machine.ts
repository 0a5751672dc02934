import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { HoldfastError, messageOf } from '../../errors.ts'
import type { Home } from '../../home.ts'
import { localHost } from '../../hosts/local.ts'
import { groupInside, processesInGroup, removeGroup } from './machine-cgroup.ts'
import { machineFolders, prepareMachineFolder } from './machine-folder.ts'
import { machineCommand, machineName, machineOfCommand } from './machine-nspawn.ts'
import type { LocalCluster, LocalMachine, MachineAssets } from './parts.ts'
import {
  allPids,
  commandLine,
  hostHasSystemd,
  identityOf,
  isRunning,
  killProcess,
  type ProcessIdentity,
  readIfThere,
  spawnDetached,
  waitFor,
} from './process.ts'
import { withHostLock } from './process-lock.ts'
import { localPaths } from './records.ts'

export { machineName } from './machine-nspawn.ts'

const bootTimeoutMs = 15_000
const killTimeoutMs = 10_000

/** A machine of this home as the kernel shows it; `process` is nspawn's, outside. */
export interface FoundMachine {
  name: string
  cluster: string
  id: string
  process: ProcessIdentity
}

/**
 * Starts a machine: makes its folder the first time, boots it again on its own disk later. Returns
 * as soon as its first process runs and it is on the bridge; it outlives this process. When it runs
 * already nothing is started.
 * @throws HoldfastError `network-missing`, `agent-checksum`, `machine-not-started`.
 */
export async function startMachine(
  home: Home,
  machine: LocalMachine,
  identity: object,
  assets: MachineAssets,
): Promise<ProcessIdentity> {
  const network = await networkOf(home, machine.cluster)
  const name = machineName(home, machine.id)
  return withHostLock(name, async () => {
    const folders = machineFolders(home, machine.cluster, machine.id)
    const running = (await findMachines(home)).find((found) => found.name === name)
    let started = running?.process
    if (!started) {
      // What an earlier start that was cut short may have left.
      await end(home, machine, saved(machine))
      await prepareMachineFolder(home, machine, network, identity, assets)
      const { command, env } = machineCommand(home, machine, folders, assets, hostHasSystemd())
      started = await spawnDetached({ name, command, logFile: folders.console, env })
    }
    try {
      await joinBridge(started, machine.device, network.device)
    } catch (error) {
      const last = (await readFile(folders.console, 'utf8').catch(() => '')).slice(-1500).trim()
      await killMachine(home, { ...machine, process: started }).catch(() => {})
      throw new HoldfastError(
        'machine-not-started',
        `The machine ${machine.id} did not start: ${messageOf(error)}${last ? `\n${last}` : ''}`,
        { remedy: `See ${folders.console}.`, cause: error },
      )
    }
    return started
  })
}

async function networkOf(home: Home, cluster: string): Promise<NonNullable<LocalCluster['network']>> {
  const path = localPaths(home).clusterRecord(cluster)
  const text = await readFile(path, 'utf8').catch(() => '{}')
  const network = (JSON.parse(text) as LocalCluster).network
  if (network) return network
  throw new HoldfastError('network-missing', `The cluster ${cluster} has no network on this host yet`, {
    remedy: 'Make the network before its machines.',
  })
}

const linkIsThere = (device: string): boolean => existsSync(`/sys/class/net/${device}`)

/** The veth's end on the host appears when nspawn has made the machine's namespaces. */
async function joinBridge(started: ProcessIdentity, device: string, bridge: string): Promise<void> {
  const first = await waitFor(
    async () => {
      if (!(await isRunning(started))) throw new Error('systemd-nspawn ended')
      return linkIsThere(device) && (await initOf(started.pid))
    },
    bootTimeoutMs,
    10,
  )
  if (!first) throw new Error(`no first process and no device ${device} within ${bootTimeoutMs} ms`)
  await localHost().run(['ip', 'link', 'set', device, 'master', bridge, 'up'])
}

/**
 * Puts a machine that runs on its network. Its start does so; this is for one whose start was cut short.
 * @throws Error when it ended, or has no link within the time of a boot.
 */
export async function joinNetwork(home: Home, machine: LocalMachine): Promise<void> {
  if (!machine.process) return
  const network = await networkOf(home, machine.cluster)
  await joinBridge(machine.process, machine.device, network.device)
}

export async function isAlive(machine: Pick<LocalMachine, 'process'>): Promise<boolean> {
  return isRunning(machine.process)
}

/** The process id, on the host, of the machine's first process; undefined when it is not running. */
export async function initPid(machine: Pick<LocalMachine, 'process'>): Promise<number | undefined> {
  return machine.process && (await isRunning(machine.process)) ? initOf(machine.process.pid) : undefined
}

async function initOf(nspawnPid: number): Promise<number | undefined> {
  for (const pid of await childrenOf(nspawnPid)) {
    const status = await readIfThere(`/proc/${pid}/status`).catch(() => '')
    const inside = /^NSpid:\s+\d+\s+(\d+)\s*$/m.exec(status)?.[1]
    // Before its exec it is still nspawn, and its root is not yet the machine's.
    if (inside === '1' && !/^Name:\s+\(?sd-|^Name:\s+systemd-nspawn/m.test(status)) return pid
  }
  return undefined
}

async function childrenOf(pid: number): Promise<number[]> {
  const text = await readIfThere(`/proc/${pid}/task/${pid}/children`).catch(() => '')
  return text.split(' ').filter(Boolean).map(Number)
}

/**
 * Pulls the plug: the machine's link goes down, and its first process gets a SIGKILL, with which the kernel ends
 * every other one inside. Returns when nothing of it is left: processes, veth, control groups.
 * @throws HoldfastError `machine-not-dead` after `timeoutMs`, with what is left.
 */
export async function killMachine(
  home: Home,
  machine: LocalMachine,
  timeoutMs = killTimeoutMs,
): Promise<void> {
  const name = machineName(home, machine.id)
  // Also one that was started by somebody who died before the process could be written down.
  const found = (await findMachines(home)).filter((one) => one.name === name)
  await end(home, machine, [...saved(machine), ...found.map((one) => one.process)], timeoutMs)
}

const saved = ({ process: known }: LocalMachine): ProcessIdentity[] => (known ? [known] : [])

async function end(
  home: Home,
  machine: LocalMachine,
  processes: readonly ProcessIdentity[],
  timeoutMs = killTimeoutMs,
): Promise<void> {
  // Asked while they live: the kernel says no more of the dead.
  const groups = await groupsOf(home, machine, processes)
  // A machine without power is silent at once; this kernel would go on accepting connections while processes end.
  if (linkIsThere(machine.device)) {
    await localHost()
      .run(['ip', 'link', 'set', machine.device, 'down'])
      .catch(() => {})
  }
  for (const each of processes) await pullPlug(each)
  let left: string | undefined
  const ended = await waitFor(async () => {
    left = await leftovers(machine.device, processes, groups)
    return left === undefined
  }, timeoutMs)
  if (ended) return
  throw new HoldfastError('machine-not-dead', `${machine.id} is not gone: ${left}`, {
    remedy: 'Repeat the command; when it stays, look at the process named above.',
  })
}

/**
 * Control groups the machine's processes may be in: the one that we make, the scope that systemd
 * makes, and whatever the kernel says of the processes that live.
 */
async function groupsOf(
  home: Home,
  machine: LocalMachine,
  processes: readonly ProcessIdentity[],
): Promise<string[]> {
  const name = machineName(home, machine.id)
  const groups = new Set([`${home.prefix}/${name}`, `system.slice/${name}.scope`])
  for (const each of processes) {
    if (!(await isRunning(each))) continue
    const text = await readIfThere(`/proc/${each.pid}/cgroup`).catch(() => '')
    const seen = groupInside(text, name)
    if (seen) groups.add(seen)
  }
  return [...groups]
}

/** nspawn then ends by itself and removes the veth. */
async function pullPlug(started: ProcessIdentity): Promise<void> {
  const first = (await isRunning(started)) ? await initOf(started.pid) : undefined
  if (first === undefined) return
  try {
    process.kill(first, 'SIGKILL')
  } catch {
    // It ended in between.
  }
  await waitFor(async () => !(await isRunning(started)), 2_000, 5)
}

/** Ends what is left and says, in words, what still is; undefined when nothing is. */
async function leftovers(
  device: string,
  processes: readonly ProcessIdentity[],
  groups: readonly string[],
): Promise<string | undefined> {
  for (const each of processes) {
    if (!(await killProcess(each, 100))) return `process ${each.pid} runs`
  }
  const pids = (await Promise.all(groups.map(processesInGroup))).flat()
  for (const pid of pids) {
    const identity = await identityOf(pid)
    if (identity) await killProcess(identity, 100)
  }
  if (pids.length > 0) return `process ${pids.join(', ')} runs`
  if (linkIsThere(device)) {
    // The namespace's end is cleared by the kernel a little later; this takes both ends at once.
    await localHost()
      .run(['ip', 'link', 'delete', device])
      .catch(() => {})
    if (linkIsThere(device)) return `network device ${device} is there`
  }
  for (const group of groups) {
    if (!(await removeGroup(group, { timeoutMs: 200 }))) return `control group ${group} is there`
  }
  return undefined
}

/**
 * Deletes a dead machine's folder.
 * @throws HoldfastError `machine-alive`, `folder-busy` while something is mounted below it.
 */
export async function removeMachine(home: Home, machine: LocalMachine): Promise<void> {
  const name = machineName(home, machine.id)
  await withHostLock(name, async () => {
    if ((await findMachines(home)).some((found) => found.name === name)) {
      throw new HoldfastError('machine-alive', `${machine.id} still runs`, {
        remedy: 'Stop the machine first.',
      })
    }
    await end(home, machine, saved(machine))
    await removeFolder(machineFolders(home, machine.cluster, machine.id).dir)
  })
}

/** Never follows a mount: what is mounted there belongs to somebody. */
async function removeFolder(dir: string): Promise<void> {
  const mounted = (await readFile('/proc/self/mountinfo', 'utf8'))
    .split('\n')
    .map((line) =>
      (line.split(' ')[4] ?? '').replace(/\\(\d{3})/g, (_, code) => String.fromCharCode(parseInt(code, 8))),
    )
    .filter((path) => path === dir || path.startsWith(`${dir}/`))
  if (mounted.length > 0) {
    throw new HoldfastError('folder-busy', `${mounted.join(', ')} is mounted below ${dir}`, {
      remedy: 'Unmount it, then repeat the command.',
    })
  }
  await localHost().run(['rm', '-rf', '--one-file-system', '--', dir], { timeoutMs: 120_000 })
}

/** Every running machine of this home, read from the kernel alone: for whoever adopts them. */
export async function findMachines(home: Pick<Home, 'prefix'>): Promise<FoundMachine[]> {
  const byPid = new Map<number, FoundMachine>()
  for (const pid of await allPids()) {
    const machine = machineOfCommand(home, await commandLine(pid))
    const identity = machine && (await identityOf(pid))
    if (machine && identity) byPid.set(pid, { ...machine, process: identity })
  }
  // nspawn's own children carry its words until they become the machine's first process.
  const children = new Set((await Promise.all([...byPid.keys()].map(childrenOf))).flat())
  return [...byPid.values()].filter((found) => !children.has(found.process.pid))
}
