import type { Problem } from '../errors.ts'
import type { Report } from '../events.ts'
import type { Host } from '../hosts/host.ts'
import type { Declaration, EtcdName, Role } from '../spec/types.ts'

/**
 * Cloud: the operator's side of a place where machines live. Everything is found again by
 * cluster name, so a command that was killed can be repeated.
 */
export interface Cloud {
  readonly kind: 'local' | 'aws' | 'hosts'
  /** What would keep this cluster from working here. Looks only, changes nothing. */
  check(declaration: Declaration): Promise<Problem[]>
  /** What is there for this cluster now. */
  observe(cluster: string): Promise<Inventory>
  /** Names of the clusters of which anything is there. */
  clusters(): Promise<string[]>
  /** Carries out one step. Idempotent: a step that is already true is no error. */
  carryOut(cluster: string, step: CloudStep, report: Report): Promise<void>
  /**
   * Makes again what other programs may have taken from the cluster's network since; where there is
   * none yet it does nothing. Missing where nobody else could.
   */
  refreshNetwork?(cluster: string): Promise<void>
  /** Runs commands on a machine as root. */
  host(machineId: string): Promise<Host>
  /** Faults and power, for operators and drills. `kill` is like pulling the plug; the group replaces it. */
  power(machineId: string, action: 'kill' | 'reboot'): Promise<void>
  /** What the load balancer thinks of each master; missing where the cloud's balancer does not tell. */
  endpointTargets?(cluster: string): Promise<EndpointTarget[]>
}

/** One master behind the endpoint; `name` is its machine's id. */
export interface EndpointTarget {
  name: string
  up: boolean
}

export interface Inventory {
  network?: { cidr: string; gateway: string; device: string }
  endpoint?: { address: string; port: number }
  groups: ObservedGroup[]
  machines: Machine[]
  volumes: Volume[]
}

export interface ObservedGroup {
  name: string
  role: Role
  zones: string[]
  size: number
  /** What its next machine is told, where the cloud can say. */
  userData?: UserData
  /** Why it has fewer machines than it should, where the cloud knows. */
  trouble?: string
}

export interface Machine {
  /** Also the Kubernetes node's name. Never used twice. */
  id: string
  group: string
  role: Role
  zone: string
  address: string
  state: 'starting' | 'running' | 'stopped'
  /** RFC 3339. */
  bootedAt: string
  /** Why it does not run, where the cloud knows. */
  trouble?: string
}

export interface Volume {
  id: string
  seat: string
  etcd: EtcdName
  zone: string
  sizeGib: number
  /** The machine that has it now. */
  attachedTo?: string
}

interface CreateNetwork {
  action: 'create-network'
  cidr?: string
  /** Ranges that the machines' must not meet: the cluster's pods and services. */
  taken?: readonly string[]
  egress: 'none' | 'nat'
}

/** One change to what the cloud holds. `where` names the thing, `reason` says why in words for people. */
export type CloudStep = { where: string; reason: string } & (
  | CreateNetwork
  | { action: 'create-endpoint'; port: number }
  | { action: 'create-volume'; volume: { seat: string; etcd: EtcdName; zone: string; sizeGib: number } }
  /** Creates the group or changes its size; the cloud keeps that many machines alive from then on. */
  | { action: 'set-group'; group: ObservedGroup; userData: UserData }
  | { action: 'terminate-machine'; machine: string }
  | { action: 'delete-group'; group: string }
  | { action: 'delete-volume'; volume: string }
  | { action: 'delete-endpoint' }
  | { action: 'delete-network' }
)

/** What a machine is told at boot. Holds no secret. */
export interface UserData {
  cluster: string
  group: string
  role: Role
  kubernetesVersion: string
  /** SHA-256 of the agent's bundle, hexadecimal: the machine starts no other. */
  agentSha256: string
}
