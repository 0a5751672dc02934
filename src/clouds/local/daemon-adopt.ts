import { readdir, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { isErrno, messageOf } from '../../errors.ts'
import type { FoundMachine } from './daemon-actions.ts'
import { ensureBalancer } from './daemon-balancer.ts'
import { forgetIfEmpty, type OpenSocket } from './daemon-machines.ts'
import { type HeldCluster, holdCluster, type Runtime, updateMachine } from './daemon-state.ts'
import { adoptVolumes } from './daemon-volumes.ts'
import type { LocalMachine } from './parts.ts'
import { clusterNames, localPaths, readCluster, removeDrafts } from './records.ts'

/** Takes over what an earlier daemon left: records from the disk, everything that lives from the kernel. */
export async function adopt(runtime: Runtime, open: OpenSocket): Promise<void> {
  const names = await clusterNames(runtime.home)
  for (const name of names) await readRecords(runtime, name)
  await takeOver(runtime, open, names, await runtime.actions.findMachines(runtime.home))
}

/** Tries the clusters again that were left alone; those whose records can be read now are adopted. */
export async function adoptLeftAlone(runtime: Runtime, open: OpenSocket): Promise<void> {
  const names: string[] = []
  for (const name of [...runtime.leftAlone.keys()]) if (await readRecords(runtime, name)) names.push(name)
  if (names.length === 0) return
  const found = await runtime.actions.findMachines(runtime.home)
  const ofThem = found.filter(({ cluster }) => names.includes(cluster))
  await takeOver(runtime, open, names, ofThem)
}

async function takeOver(
  runtime: Runtime,
  open: OpenSocket,
  names: readonly string[],
  found: readonly FoundMachine[],
): Promise<void> {
  const { clusters, leftAlone } = runtime
  const orphans = found.filter(
    ({ id, cluster }) => !clusters.get(cluster)?.machines.has(id) && !leftAlone.has(cluster),
  )
  for (const one of orphans) await endOrphan(runtime, one)
  for (const name of names) {
    const held = clusters.get(name)
    if (held) await adoptCluster(runtime, held, open, found)
  }
}

/** False when a record cannot be read. */
async function readRecords(runtime: Runtime, name: string): Promise<boolean> {
  const { home, clusters, leftAlone, report } = runtime
  try {
    const records = await readCluster(home, name)
    if (records) clusters.set(name, holdCluster(records.cluster, records.machines, records.volumes))
    else await dropEmptyFolder(localPaths(home).cluster(name))
    leftAlone.delete(name)
    return true
  } catch (error) {
    leftAlone.set(name, error)
    report({ type: 'warning', message: `${name} is left alone: ${messageOf(error)}` })
    return false
  }
}

async function adoptCluster(
  runtime: Runtime,
  held: HeldCluster,
  open: OpenSocket,
  found: readonly FoundMachine[],
): Promise<void> {
  try {
    for (const one of found) await adoptMachine(runtime, held, one)
    await adoptRest(runtime, held, open, new Set(found.map(({ id }) => id)))
  } catch (error) {
    runtime.report({ type: 'warning', message: `${held.name}: ${messageOf(error)}` })
  }
}

/** The daemon was killed during its start or before its record, or an earlier version wrote that. */
async function adoptMachine(runtime: Runtime, held: HeldCluster, found: FoundMachine): Promise<void> {
  const known = held.machines.get(found.id)
  if (!known || isDeepStrictEqual(known.process, found.process)) return
  const { id, process } = found
  try {
    await runtime.actions.joinNetwork(runtime.home, { ...known, process })
  } catch (error) {
    // With a process in its record it would count as running, and hold its seat without a network.
    const message = `${held.name}: ${id} cannot be put on its network: ${messageOf(error)}`
    return runtime.report({ type: 'warning', message })
  }
  const { restart: _done, ...machine } = known
  // In memory first: the kernel's word counts also where it cannot be written down, on a full disk say.
  held.machines.set(id, { ...machine, state: 'running', process })
  await updateMachine(runtime.home, held, id, (now) => now).catch((error: unknown) => {
    const message = `${held.name}: ${id} runs, which is not written down: ${messageOf(error)}`
    runtime.report({ type: 'warning', message })
  })
}

async function adoptRest(
  runtime: Runtime,
  held: HeldCluster,
  open: OpenSocket,
  running: ReadonlySet<string>,
): Promise<void> {
  const { home, actions, report } = runtime
  const paths = localPaths(home)
  await removeDrafts(paths.cluster(held.name))
  await removeDrafts(paths.volumes(held.name))
  await adoptVolumes(runtime, held)
  await removeUnknownMachines(join(paths.cluster(held.name), 'machines'), held, running)
  for (const id of held.machines.keys()) await openIfFolder(held, id, open)
  held.networkThere = held.cluster.network ? await actions.networkExists(home, held.cluster) : true
  // A bridge that was being made when the daemon was killed: nothing would know it as its own.
  if (!held.cluster.network) await actions.deleteNetwork(home, held.cluster)
  if (held.networkThere) {
    await actions.ensureRules(home, held.cluster).catch((error: unknown) => {
      report({ type: 'warning', message: `${held.name}: its network's rules: ${messageOf(error)}` })
    })
  }
  // Not known yet what it sends to. Where it cannot be started now, the looks try again.
  if (held.cluster.endpoint) held.targets = []
  if (held.cluster.endpoint && held.networkThere) await ensureBalancer(runtime, held)
  await forgetIfEmpty(runtime, held, { deletes: false })
}

/** Somebody removed its records while it ran: nothing could ever own or stop it again. */
async function endOrphan(runtime: Runtime, found: FoundMachine): Promise<void> {
  const { home, actions, report } = runtime
  report({
    type: 'warning',
    message: `${found.cluster}: ${found.id} runs but nobody remembers it: it is ended`,
  })
  const machine: LocalMachine = {
    id: found.id,
    cluster: found.cluster,
    group: '',
    role: 'node',
    zone: '',
    address: '',
    device: `${home.prefix}-${found.id.slice(-5)}`,
    state: 'running',
    bootedAt: new Date(runtime.now()).toISOString(),
    process: found.process,
  }
  try {
    await actions.killMachine(home, machine)
    await actions.removeMachine(home, machine)
  } catch (error) {
    report({ type: 'warning', message: `${found.id}: ${messageOf(error)}` })
  }
}

async function openIfFolder(held: HeldCluster, id: string, open: OpenSocket): Promise<void> {
  try {
    await open(held, id)
  } catch (error) {
    // It was being removed when the daemon was killed; the next look goes on with that.
    if (!isErrno(error, 'ENOENT')) throw error
  }
}

/** Folders that were being made or removed when the daemon was killed. */
async function removeUnknownMachines(
  folder: string,
  held: HeldCluster,
  running: ReadonlySet<string>,
): Promise<void> {
  for (const id of await readdir(folder).catch(() => [])) {
    if (!held.machines.has(id) && !running.has(id))
      await rm(join(folder, id), { recursive: true, force: true })
  }
}

async function dropEmptyFolder(folder: string): Promise<void> {
  await rmdir(folder).catch((error: unknown) => {
    if (!isErrno(error, 'ENOTEMPTY', 'ENOENT')) throw error
  })
}
