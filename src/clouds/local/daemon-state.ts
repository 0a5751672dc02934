import type { Report } from '../../events.ts'
import type { Home } from '../../home.ts'
import type { StateStore } from '../../store/store.ts'
import type { ApiSocket } from './api-server.ts'
import type { LocalActions } from './daemon-actions.ts'
import type { LocalCluster, LocalMachine, LocalVolume } from './parts.ts'
import type { ProcessIdentity } from './process.ts'
import type { Target } from './reconcile.ts'
import { localPaths, removeRecord, writeRecord } from './records.ts'

/** What the daemon is made with. Clock and randomness come from outside, so that tests can choose them. */
export interface DaemonOptions {
  home: Home
  actions: LocalActions
  openStore(url: string): Promise<StateStore>
  report: Report
  /** Milliseconds since 1970, for what is written down. */
  now?: () => number
  /** Milliseconds that go on whatever the clock is set to, for every wait. */
  monotonicNow?: () => number
  /** Five letters or digits. */
  randomSuffix?: () => string
  /** Default 250. */
  pollMs?: number
}

export interface Runtime extends Required<Omit<DaemonOptions, 'pollMs'>> {
  clusters: Map<string, HeldCluster>
  /** Clusters with a record that cannot be read, and why: nothing is done to them until it can. */
  leftAlone: Map<string, unknown>
  /** Look again now rather than at the next tick. */
  wake(): void
}

/** `removing`: nothing of it runs any more, only its disk is being cleared away. */
export type Busy = 'starting' | 'stopping' | 'removing'

/** One cluster in the daemon's memory. Maps hold what the records hold. */
export interface HeldCluster {
  name: string
  cluster: LocalCluster
  machines: Map<string, LocalMachine>
  volumes: Map<string, LocalVolume>
  busy: Map<string, Busy>
  sockets: Map<string, ApiSocket>
  /** Machines and other things whose last action failed are left alone until then (`monotonicNow`). */
  notBefore: Map<string, number>
  /** Addresses that were given out and stand in no record yet. */
  promised: string[]
  networkThere: boolean
  /** The network is being made again after the host's reboot. */
  recovery?: Promise<void>
  /** Why the network could not be made again after the host's reboot. */
  networkTrouble?: string
  /** What the balancer was told last; undefined without an endpoint. */
  targets?: Target[]
  balancerProcess?: ProcessIdentity
  /** By group: why it waits. */
  waits: Map<string, string>
  /** Attaching, creating and deleting volumes, one after the other. */
  volumeWork: Serial
  /** Changes of the balancer, one after the other. */
  balancerWork: Serial
  writes: Serial
}

/** Runs actions one after the other; one that fails does not stop the next. */
export type Serial = <T>(action: () => Promise<T>) => Promise<T>

export function serial(): Serial {
  let last: Promise<unknown> = Promise.resolve()
  return <T>(action: () => Promise<T>): Promise<T> => {
    const next = last.then(action)
    last = next.catch(() => {})
    return next
  }
}

export function holdCluster(
  cluster: LocalCluster,
  machines: readonly LocalMachine[] = [],
  volumes: readonly LocalVolume[] = [],
): HeldCluster {
  return {
    name: cluster.name,
    cluster,
    machines: new Map(machines.map((machine) => [machine.id, machine])),
    volumes: new Map(volumes.map((volume) => [volume.id, volume])),
    busy: new Map(),
    sockets: new Map(),
    notBefore: new Map(),
    promised: [],
    networkThere: true,
    waits: new Map(),
    volumeWork: serial(),
    balancerWork: serial(),
    writes: serial(),
  }
}

/**
 * Changes the cluster's record. First on disk, then in memory, so that nothing is done that would be
 * forgotten if the daemon were killed.
 */
export function updateCluster(
  home: Home,
  held: HeldCluster,
  change: (cluster: LocalCluster) => LocalCluster,
): Promise<void> {
  return held.writes(async () => {
    const next = change(held.cluster)
    await writeRecord(localPaths(home).clusterRecord(held.name), next)
    held.cluster = next
  })
}

/** As `updateCluster`; a machine that is gone stays gone. */
export function updateMachine(
  home: Home,
  held: HeldCluster,
  id: string,
  change: (machine: LocalMachine) => LocalMachine,
): Promise<void> {
  return held.writes(async () => {
    const machine = held.machines.get(id)
    if (!machine) return
    const next = change(machine)
    await writeRecord(localPaths(home).machineRecord(held.name, id), next)
    held.machines.set(id, next)
  })
}

export function addVolumeRecord(home: Home, held: HeldCluster, volume: LocalVolume): Promise<void> {
  return held.writes(async () => {
    await writeRecord(localPaths(home).volumeRecord(held.name, volume.id), volume)
    held.volumes.set(volume.id, volume)
  })
}

export function removeVolumeRecord(home: Home, held: HeldCluster, id: string): Promise<void> {
  return held.writes(async () => {
    await removeRecord(localPaths(home).volumeRecord(held.name, id))
    held.volumes.delete(id)
  })
}
