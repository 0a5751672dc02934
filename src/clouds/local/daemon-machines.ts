import { rm } from 'node:fs/promises'
import { HoldfastError, messageOf } from '../../errors.ts'
import type { UserData } from '../cloud.ts'
import type { Identity } from '../surroundings.ts'
import { recordAddress, takeAddress } from './daemon-addresses.ts'
import { sendElsewhere } from './daemon-balancer.ts'
import { type HeldCluster, type Runtime, updateCluster, updateMachine } from './daemon-state.ts'
import type { LocalMachine } from './parts.ts'
import { withDeath } from './reconcile.ts'
import { localPaths, makePrivateFolder, removeClusterFolder, writeRecord } from './records.ts'

/** After an action failed the same thing is left alone for this long. */
const retryMs = 2_000

/** Opens a machine's socket; given in because the API stands above the machines. */
export type OpenSocket = (held: HeldCluster, machineId: string) => Promise<void>

/**
 * A new machine for a group: takes an id and an address now, starts in the background.
 * A start that fails leaves nothing but a death in the group's record.
 */
export function startNew(
  runtime: Runtime,
  held: HeldCluster,
  group: string,
  zone: string,
  open: OpenSocket,
): void {
  const { home } = runtime
  const declared = held.cluster.groups[group]
  if (!declared) return
  const { userData, assets } = declared
  if (!assets) {
    throw new HoldfastError('assets-missing', `Group ${group} says not what its machines are made of`)
  }
  const suffix = freeSuffix(runtime)
  const id = `${group}-${suffix}`
  const address = takeAddress(held)
  const machine: LocalMachine = {
    id,
    cluster: held.name,
    group,
    role: declared.role,
    zone,
    address,
    device: `${home.prefix}-${suffix}`,
    state: 'starting',
    bootedAt: new Date(runtime.now()).toISOString(),
    made: { userData, assets },
  }
  held.machines.set(id, machine)
  held.busy.set(id, 'starting')
  runtime.report({ type: 'note', message: `${held.name}: ${id} starts at ${address} in ${zone}` })
  const begin = async () => {
    await recordAddress(runtime, held, address, async () => {
      await makePrivateFolder(localPaths(home).machineSocketDir(held.name, id))
      await writeRecord(localPaths(home).machineRecord(held.name, id), machine)
    })
    await boot(runtime, held, id, open)
  }
  inBackground(runtime, held, id, begin, async (error) => {
    await recordDeath(runtime, held, machine, 0, messageOf(error))
    await runtime.actions.killMachine(home, machine)
    await clearAway(runtime, held, id)
  })
}

/** Starts a machine again on its own disk with its own id. */
export function restart(runtime: Runtime, held: HeldCluster, id: string, open: OpenSocket): void {
  held.busy.set(id, 'starting')
  const begin = async () => {
    const bootedAt = new Date(runtime.now()).toISOString()
    await updateMachine(runtime.home, held, id, (now) => ({ ...now, bootedAt, state: 'starting' }))
    const machine = held.machines.get(id)
    runtime.report({
      type: 'note',
      message: `${held.name}: ${id} starts again at ${machine?.address} (${machine?.restart})`,
    })
    await boot(runtime, held, id, open)
  }
  inBackground(runtime, held, id, begin, async (error) => {
    const machine = held.machines.get(id)
    if (!machine) return
    const trouble = messageOf(error)
    await recordDeath(runtime, held, machine, 0, trouble)
    await updateMachine(runtime.home, held, id, (now) => ({ ...now, state: 'stopped', trouble }))
  })
}

async function boot(runtime: Runtime, held: HeldCluster, id: string, open: OpenSocket): Promise<void> {
  const machine = held.machines.get(id)
  // A record of an earlier version does not say what its machine was made from.
  const made = machine?.made ?? held.cluster.groups[machine?.group ?? '']
  if (!machine || !made?.assets) {
    throw new HoldfastError('assets-missing', `Nobody remembers what ${id} is made of`, {
      remedy: `Terminate it; its group makes another.`,
    })
  }
  await makePrivateFolder(localPaths(runtime.home).machineSocketDir(held.name, id))
  await open(held, id)
  const started = await runtime.actions.startMachine(
    runtime.home,
    machine,
    identityOf(held, machine, made.userData),
    made.assets,
  )
  await updateMachine(runtime.home, held, id, ({ restart: _done, trouble: _gone, ...now }) => ({
    ...now,
    state: 'running',
    process: started,
  }))
}

/** Stops a machine that is to start again; its record already says so. */
export function stopForRestart(runtime: Runtime, held: HeldCluster, id: string): void {
  held.busy.set(id, 'stopping')
  inBackground(runtime, held, id, async () => {
    const machine = held.machines.get(id)
    if (!machine) return
    await runtime.actions.killMachine(runtime.home, machine)
    await updateMachine(runtime.home, held, id, ({ process: _stopped, ...now }) => ({
      ...now,
      state: 'stopped',
    }))
  })
}

/** For good. `died` when nobody asked for it: that counts for the group's patience. */
export function terminate(
  runtime: Runtime,
  held: HeldCluster,
  id: string,
  reason: string,
  died: boolean,
): void {
  const machine = held.machines.get(id)
  if (!machine) return
  held.busy.set(id, 'stopping')
  runtime.report({ type: 'note', message: `${held.name}: ${id} goes (${reason})` })
  inBackground(runtime, held, id, async () => {
    if (!died && !machine.doomed)
      await updateMachine(runtime.home, held, id, (now) => ({ ...now, doomed: reason }))
    // A planned stop: no request should be on its way there when it goes.
    if (!died) await sendElsewhere(runtime, held, id)
    await runtime.actions.killMachine(runtime.home, machine)
    // One without a process never came up because the daemon itself was killed: no sign of trouble.
    if (died && machine.process) {
      await recordDeath(runtime, held, machine, runtime.now() - Date.parse(machine.bootedAt))
    }
    await clearAway(runtime, held, id)
  })
}

/** Its processes are gone from here on: its successor may start while the disk is cleared. */
async function clearAway(runtime: Runtime, held: HeldCluster, id: string): Promise<void> {
  const { home, actions } = runtime
  const machine = held.machines.get(id)
  if (!machine) return
  await held.sockets.get(id)?.close()
  held.sockets.delete(id)
  held.busy.set(id, 'removing')
  runtime.wake()
  await actions.removeMachine(home, machine)
  await rm(localPaths(home).machine(held.name, id), { recursive: true, force: true })
  held.machines.delete(id)
}

/** Never fails: what follows clears the machine away. */
async function recordDeath(
  runtime: Runtime,
  held: HeldCluster,
  machine: LocalMachine,
  livedMs: number,
  reason?: string,
): Promise<void> {
  const death = {
    machine: machine.id,
    at: new Date(runtime.now()).toISOString(),
    livedMs,
    ...(reason ? { reason } : {}),
  }
  // In memory first: a death that cannot be written, on a full disk say, still makes its group wait.
  await held.writes(async () => {
    const { cluster } = held
    const group = cluster.groups[machine.group]
    if (!group) return
    const deaths = withDeath(group.deaths, death)
    held.cluster = { ...cluster, groups: { ...cluster.groups, [group.name]: { ...group, deaths } } }
  })
  try {
    await updateCluster(runtime.home, held, (cluster) => cluster)
  } catch (error) {
    runtime.report({
      type: 'warning',
      message: `${held.name}: the death of ${machine.id} is not written down: ${messageOf(error)}`,
    })
  }
}

function inBackground(
  runtime: Runtime,
  held: HeldCluster,
  id: string,
  action: () => Promise<void>,
  afterFailure: (error: unknown) => Promise<void> = async () => {},
): void {
  const fail = (error: unknown) => {
    held.notBefore.set(id, runtime.monotonicNow() + retryMs)
    runtime.report({ type: 'warning', message: `${held.name}: ${id}: ${messageOf(error)}` })
  }
  const run = async () => {
    try {
      await action()
      held.notBefore.delete(id)
    } catch (error) {
      fail(error)
      await afterFailure(error)
    }
  }
  run()
    .catch(fail)
    .finally(() => {
      held.busy.delete(id)
      if (!held.machines.has(id)) held.notBefore.delete(id)
      runtime.wake()
    })
}

function identityOf(held: HeldCluster, machine: LocalMachine, userData: UserData): Identity {
  const endpoint = held.cluster.endpoint
  if (!endpoint) {
    throw new HoldfastError(
      'endpoint-missing',
      `${held.name} has no endpoint yet, so ${machine.id} cannot start`,
      { remedy: 'Create the endpoint before the groups.' },
    )
  }
  return { ...userData, machineId: machine.id, zone: machine.zone, address: machine.address, endpoint }
}

/** Unique in the whole home, because interface names carry it. */
function freeSuffix(runtime: Runtime): string {
  const taken = new Set(
    [...runtime.clusters.values()].flatMap((held) => [...held.machines.keys()].map((id) => id.slice(-5))),
  )
  for (;;) {
    const suffix = runtime.randomSuffix()
    if (!taken.has(suffix)) return suffix
  }
}

/** Once nothing of a cluster is left, its folder goes too; what may hold data only when somebody deletes. */
export async function forgetIfEmpty(
  runtime: Runtime,
  held: HeldCluster,
  options: { deletes: boolean },
): Promise<boolean> {
  const { cluster, machines, volumes } = held
  if (cluster.network || cluster.endpoint || machines.size > 0 || volumes.size > 0) return false
  if (Object.keys(cluster.groups).length > 0) return false
  const { home, actions } = runtime
  if (!options.deletes && (await actions.sweepVolumes(home, held.name, new Set())).length > 0) return false
  await held.writes(async () => {
    await removeClusterFolder(runtime.home, held.name)
    runtime.clusters.delete(held.name)
  })
  return true
}
