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
  const { home, actions, report } = runtime
  const leftAlone = new Set<string>()
  for (const name of await clusterNames(home)) {
    try {
      const records = await readCluster(home, name)
      if (!records) {
        await dropEmptyFolder(localPaths(home).cluster(name))
        continue
      }
      runtime.clusters.set(name, holdCluster(records.cluster, records.machines, records.volumes))
    } catch (error) {
      leftAlone.add(name)
      report({ type: 'warning', message: `${name} is left alone: ${messageOf(error)}` })
    }
  }
  const found = await actions.findMachines(home)
  for (const one of found) {
    const held = runtime.clusters.get(one.cluster)
    const known = held?.machines.get(one.id)
    if (!held || !known) {
      if (!leftAlone.has(one.cluster)) await endOrphan(runtime, one)
      continue
    }
    if (isDeepStrictEqual(known.process, one.process)) continue
    // The daemon was killed during the start or before its record, or an earlier version wrote that.
    await actions.joinNetwork(home, { ...known, process: one.process }).catch((error: unknown) => {
      report({
        type: 'warning',
        message: `${held.name}: ${one.id} is not on its network: ${messageOf(error)}`,
      })
    })
    await updateMachine(home, held, one.id, ({ restart: _done, ...machine }) => ({
      ...machine,
      state: 'running',
      process: one.process,
    }))
  }
  for (const held of [...runtime.clusters.values()]) {
    try {
      await adoptCluster(runtime, held, open, new Set(found.map(({ id }) => id)))
    } catch (error) {
      report({ type: 'warning', message: `${held.name}: ${messageOf(error)}` })
    }
  }
}

async function adoptCluster(
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
