import { mayLose } from '../quorum/majority.ts'
import { ETCD_NAMES, type EtcdName } from '../spec/types.ts'
import type { EtcdStatus } from './etcd-status.ts'
import type { Observation } from './observation.ts'

/** One condition of full strength: met when `missing` is undefined, which otherwise says what is not. */
export interface StrengthCondition {
  name: string
  missing?: string
}

export interface StrengthExpectation {
  masters: number
  /** After a kill: the machine that died, and the moment after which its successor's kubelet must have renewed. */
  replaced?: { machine: string; group: string; sinceMs: number }
}

/** How far a member may be behind the newest log entry and still count as caught up. */
export const caughtUpLagEntries = 100
/** A Lease older than this belongs to a kubelet that no longer renews it (kubelet renews every 10 s). */
const leaseStaleMs = 45_000

/** Voters that answered and are caught up. */
export const healthyVoters = (etcd: EtcdStatus): number =>
  etcd.members.filter(
    (m) =>
      m.voter && m.appliedIndex !== undefined && etcd.highestIndex - m.appliedIndex <= caughtUpLagEntries,
  ).length

/** How many more masters may be lost before writes stop; negative: they have stopped. Unknown when etcd was not seen. */
export function mayLoseMore(observation: Observation): number | undefined {
  const each = ETCD_NAMES.map((name) => {
    const etcd = observation.etcd[name]
    return etcd && mayLose(etcd.members.filter((member) => member.voter).length, healthyVoters(etcd))
  })
  const known = each.filter((count) => count !== undefined)
  return known.length === each.length ? Math.min(...known) : undefined
}

/** Full strength as a list of named conditions, each met or with what is missing. */
export function strengthConditions(
  observation: Observation,
  expected: StrengthExpectation,
): StrengthCondition[] {
  return [
    machinesCondition(observation, expected),
    ...ETCD_NAMES.map((name) => etcdCondition(name, observation.etcd[name], expected.masters)),
    leasesCondition(observation, expected),
    endpointCondition(observation, expected.masters),
  ]
}

/** What is missing of full strength; empty when nothing is. */
export const missingStrength = (observation: Observation, expected: StrengthExpectation): string[] =>
  strengthConditions(observation, expected).flatMap(({ name, missing }) =>
    missing ? [`${name}: ${missing}`] : [],
  )

const condition = (name: string, missing: string | undefined): StrengthCondition =>
  missing ? { name, missing } : { name }

const running = (observation: Observation) =>
  observation.inventory.machines.filter((machine) => machine.role === 'master' && machine.state === 'running')

function machinesCondition(
  observation: Observation,
  { masters, replaced }: StrengthExpectation,
): StrengthCondition {
  const alive = running(observation)
  const name = 'machines'
  if (replaced && !alive.some((m) => m.group === replaced.group && m.id !== replaced.machine)) {
    return { name, missing: `group ${replaced.group} has no new machine yet` }
  }
  return condition(name, alive.length < masters ? `${alive.length} of ${masters} masters run` : undefined)
}

function etcdCondition(name: EtcdName, etcd: EtcdStatus | undefined, masters: number): StrengthCondition {
  const missing = (): string | undefined => {
    if (!etcd) return 'nobody answers'
    if (!etcd.leaderId) return 'no leader'
    const learners = etcd.members.filter((member) => !member.voter)
    if (learners.length > 0) return `${learners.map((m) => m.name || m.id).join(', ')} still a learner`
    if (etcd.members.length !== masters) return `${etcd.members.length} of ${masters} voters`
    const silent = etcd.members.filter((member) => member.appliedIndex === undefined)
    if (silent.length > 0) return `${silent.map((m) => m.name || m.id).join(', ')} does not answer`
    const healthy = healthyVoters(etcd)
    return healthy < masters ? `${masters - healthy} not caught up` : undefined
  }
  return condition(`etcd ${name}`, missing())
}

function leasesCondition(observation: Observation, { replaced }: StrengthExpectation): StrengthCondition {
  const name = 'kubelets'
  const { leases } = observation
  if (!leases) return { name, missing: 'the API does not answer' }
  const late = running(observation).filter((machine) => {
    const renewedMs = leases[machine.id] ?? 0
    const successor = replaced && machine.group === replaced.group
    const since = successor
      ? Math.max(replaced.sinceMs, Date.parse(machine.bootedAt))
      : observation.atMs - leaseStaleMs
    return renewedMs < since
  })
  return condition(
    name,
    late.length > 0 ? `no fresh Lease of ${late.map((m) => m.id).join(', ')}` : undefined,
  )
}

function endpointCondition(observation: Observation, masters: number): StrengthCondition {
  const name = 'balancer'
  if (!observation.endpoint) return { name, missing: 'it does not answer' }
  const up = observation.endpoint.filter((target) => target.up).length
  return condition(name, up < masters ? `sees ${up} of ${masters} apiservers up` : undefined)
}
