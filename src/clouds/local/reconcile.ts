import type { Death, LocalCluster, LocalGroup, LocalMachine } from './parts.ts'

/**
 * What the local cloud does next for one cluster. Pure: no clock, no randomness, no look at the host.
 *
 * A group keeps its size. A machine that died is gone for good and a new one takes its place, as in
 * any cloud; only after the HOST was rebooted (its bridge is gone although the record has one) does
 * every machine start again on its own disk, because then nobody pulled a machine's plug.
 */
export interface Seen {
  cluster: LocalCluster
  machines: readonly SeenMachine[]
  /** False when the record has a network and the host has none. */
  networkThere: boolean
  /** The masters that it sends to now; undefined while there is no endpoint. */
  balancer?: { alive: boolean; targets: readonly Target[] }
  /** Milliseconds since 1970. */
  now: number
}

/** One apiserver behind the endpoint. */
export interface Target {
  name: string
  address: string
}

export interface SeenMachine {
  machine: LocalMachine
  alive: boolean
  /** An action on it is under way. */
  busy?: 'starting' | 'stopping' | 'removing'
}

export type Action =
  /** The host was rebooted: mark these for a restart (lasting), then make the network again. */
  | { action: 'recover-network'; restart: string[] }
  | { action: 'start-machine'; group: string; zone: string }
  /** On its own disk, with its own id. */
  | { action: 'restart-machine'; machine: string }
  /** Stop it; its record already says that it is to start again. */
  | { action: 'stop-for-restart'; machine: string }
  /** It died by itself: make sure that nothing of it runs, then forget it. */
  | { action: 'remove-dead'; machine: string }
  | { action: 'terminate-machine'; machine: string; reason: string }
  | { action: 'set-targets'; targets: Target[] }
  /** It died, or the host was rebooted. */
  | { action: 'start-balancer' }
  /** Nothing to do before `until`, although something is missing: machines die as soon as they start. */
  | { action: 'wait'; group: string; until: number; reason: string }

/** A machine that lived no longer than this died "at once"; only such deaths make the group wait. */
export const quickDeathMs = 20_000
const deathWindowMs = 10 * 60_000
const patientAfter = 5
const patientDelayMs = 60_000

/** The actions that can begin now; those on machines that are busy wait for the next look. */
export function reconcile(seen: Seen): Action[] {
  const { cluster, machines } = seen
  if (cluster.network && !seen.networkThere) {
    const restart = machines.filter(({ machine }) => !machine.doomed).map(({ machine }) => machine.id)
    return [{ action: 'recover-network', restart }]
  }
  const actions: Action[] = []
  const groups = Object.values(cluster.groups)
  const surplus = new Map(groups.flatMap((group) => surplusOf(group, machines)))
  for (const one of machines) {
    if (one.busy) continue
    const group = cluster.groups[one.machine.group]
    const action = surplus.get(one.machine.id) ?? nextForMachine(one, group, seen.now)
    if (action) actions.push(action)
  }
  for (const group of groups) actions.push(...startMissing(group, seen))
  const targets = wantedTargets(machines)
  if (seen.balancer?.alive === false) actions.push({ action: 'start-balancer' })
  else if (seen.balancer && !sameTargets(targets, seen.balancer.targets)) {
    actions.push({ action: 'set-targets', targets })
  }
  return actions
}

function nextForMachine(seen: SeenMachine, group: LocalGroup | undefined, now: number): Action | undefined {
  const { machine, alive } = seen
  if (!group)
    return { action: 'terminate-machine', machine: machine.id, reason: `group ${machine.group} is gone` }
  if (machine.doomed) return { action: 'terminate-machine', machine: machine.id, reason: machine.doomed }
  if (machine.restart && alive) return { action: 'stop-for-restart', machine: machine.id }
  if (machine.restart) {
    const wait = backOff(group, now)
    return wait ?? { action: 'restart-machine', machine: machine.id }
  }
  return alive ? undefined : { action: 'remove-dead', machine: machine.id }
}

function startMissing(group: LocalGroup, seen: Seen): Action[] {
  const all = seen.machines.filter(({ machine }) => machine.group === group.name)
  const kept = all.filter(isKept)
  // Of a master's group never two at a time: until its processes are proven gone, a dead one may
  // still hold its seat's volumes.
  const proven = all.filter(({ busy }) => busy !== 'removing')
  const standing = group.role === 'master' ? proven.length : kept.length
  const missing = group.size - standing
  if (missing <= 0) return []
  const wait = backOff(group, seen.now)
  if (wait) return [wait]
  const zones = kept.map(({ machine }) => machine.zone)
  const actions: Action[] = []
  for (let count = 0; count < missing; count++) {
    const zone = emptiestZone(group.zones, zones)
    if (zone === undefined) return actions
    zones.push(zone)
    actions.push({ action: 'start-machine', group: group.name, zone })
  }
  return actions
}

/** Counts towards the group's size: it runs, is being started, or will start again. */
const isKept = ({ machine, alive, busy }: SeenMachine): boolean => {
  if (machine.doomed) return false
  return machine.restart !== undefined || busy === 'starting' || (alive && busy === undefined)
}

/** The newest first: the oldest have proven themselves and hold the most work. */
function surplusOf(group: LocalGroup, machines: readonly SeenMachine[]): [id: string, action: Action][] {
  const kept = machines.filter((seen) => seen.machine.group === group.name && isKept(seen))
  const newestFirst = kept
    .map(({ machine }) => machine)
    .sort((one, other) => other.bootedAt.localeCompare(one.bootedAt) || other.id.localeCompare(one.id))
  const reason = `group ${group.name} has ${group.size} machines`
  return newestFirst
    .slice(0, Math.max(0, kept.length - group.size))
    .map(({ id }) => [id, { action: 'terminate-machine', machine: id, reason }])
}

function emptiestZone(zones: readonly string[], taken: readonly string[]): string | undefined {
  const count = (zone: string) => taken.filter((other) => other === zone).length
  return [...zones].sort((one, other) => count(one) - count(other))[0]
}

function wantedTargets(machines: readonly SeenMachine[]): Target[] {
  return machines
    .filter((seen) => seen.machine.role === 'master' && isKept(seen))
    .map(({ machine }) => ({ name: machine.id, address: machine.address }))
}

/** Whatever their order. A machine may come back with another address. */
function sameTargets(some: readonly Target[], others: readonly Target[]): boolean {
  const words = (targets: readonly Target[]) => targets.map(({ name, address }) => `${name}@${address}`)
  return words(some).sort().join() === words(others).sort().join()
}

/** The first replacements come at once, then later and later; never a hot loop. */
function backOff(group: LocalGroup, now: number): (Action & { action: 'wait' }) | undefined {
  const quick = quickDeaths(group.deaths ?? [], now)
  const last = quick.at(-1)
  if (!last) return undefined
  const delayMs =
    quick.length >= patientAfter ? patientDelayMs : quick.length < 2 ? 0 : 1_000 * 2 ** (quick.length - 2)
  const until = Date.parse(last.at) + delayMs
  if (now >= until) return undefined
  const why = last.reason ? `; the last: ${last.reason}` : ''
  const reason = `${quick.length} machines of group ${group.name} died within ${quickDeathMs / 1000} s of their start${why}`
  return { action: 'wait', group: group.name, until, reason }
}

/** Those that are still to come are of a clock that was set back since. */
const quickDeaths = (deaths: readonly Death[], now: number): Death[] =>
  deaths.filter(({ livedMs, at }) => {
    const agoMs = now - Date.parse(at)
    return livedMs < quickDeathMs && agoMs >= 0 && agoMs < deathWindowMs
  })

/** The deaths worth keeping in the record, with one more. */
export function withDeath(deaths: readonly Death[] = [], death: Death): Death[] {
  return [...deaths, death].slice(-patientAfter)
}
