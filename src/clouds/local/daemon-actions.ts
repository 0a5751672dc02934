import type { Home } from '../../home.ts'
import type { Identity } from '../surroundings.ts'
import type { LocalCluster, LocalMachine, LocalVolume, MachineAssets } from './parts.ts'
import type { ProcessIdentity } from './process.ts'
import type { Target } from './reconcile.ts'

type Network = NonNullable<LocalCluster['network']>

/**
 * What the daemon does to this host, so that it can be tried with an imagined one. Every action can
 * be killed at any moment and repeated.
 */
export interface LocalActions {
  ensureNetwork(
    home: Home,
    cluster: LocalCluster,
    options: { cidr?: string; taken?: readonly string[]; egress: 'none' | 'nat' },
  ): Promise<Network>
  deleteNetwork(home: Home, cluster: LocalCluster): Promise<void>
  networkExists(home: Home, cluster: LocalCluster): Promise<boolean>
  /** What other programs may have taken away since, of a network that is there. */
  ensureRules(home: Home, cluster: LocalCluster): Promise<void>

  /** On the disk that an earlier start of this id left, or on a new one. */
  startMachine(
    home: Home,
    machine: LocalMachine,
    identity: Identity,
    assets: MachineAssets,
  ): Promise<ProcessIdentity>
  /** For a machine that runs, and whose start may have been cut short before it was on its network. */
  joinNetwork(home: Home, machine: LocalMachine): Promise<void>
  /** Cheap: asked four times a second. */
  isAlive(machine: LocalMachine): boolean | Promise<boolean>
  /** The same for any process of ours. */
  isRunning(process: ProcessIdentity): boolean | Promise<boolean>
  /** Returns once nothing of the machine runs any more, however it died. */
  killMachine(home: Home, machine: LocalMachine): Promise<void>
  /** Its disk and links. */
  removeMachine(home: Home, machine: LocalMachine): Promise<void>
  /** Machines of this home that run, asked from the kernel. */
  findMachines(home: Home): Promise<FoundMachine[]>

  createVolume(home: Home, volume: LocalVolume): Promise<void>
  attachVolume(home: Home, volume: LocalVolume, machine: LocalMachine): Promise<{ device: string }>
  /** Volume id to the machine that has it, asked from the kernel. */
  attachments(home: Home, cluster: string, machines: LocalMachine[]): Promise<Map<string, string>>
  /** Is its data there? */
  hasData(home: Home, volume: LocalVolume): Promise<boolean>
  /** Marks its data for deletion, which then is complete with `deleteVolume` or the next `sweepVolumes`. */
  condemnVolume(home: Home, volume: LocalVolume): Promise<void>
  deleteVolume(home: Home, volume: LocalVolume): Promise<void>
  /** Clears what was left half made or half deleted; returns what belongs to no known volume and is kept. */
  sweepVolumes(home: Home, cluster: string, known: ReadonlySet<string>): Promise<string[]>

  ensureBalancer(home: Home, cluster: LocalCluster, targets: Target[]): Promise<void>
  setTargets(home: Home, cluster: LocalCluster, targets: Target[]): Promise<void>
  /** undefined while it does not run. */
  balancerState(home: Home, cluster: LocalCluster): Promise<BalancerSeen | undefined>
  /** Closes what still goes through a master whose checks fail. */
  closeDeadSessions(home: Home, cluster: LocalCluster): Promise<void>
  stopBalancer(home: Home, cluster: LocalCluster): Promise<void>
}

export interface BalancerSeen {
  process: ProcessIdentity
  /** Names of those that connections may go to. */
  targets: string[]
  servers: { name: string; state: string }[]
}

export interface FoundMachine {
  cluster: string
  id: string
  process: ProcessIdentity
}
