import { hasQuorum, majority } from '../../src/quorum/majority.ts'
import type { ClusterView } from '../../src/quorum/member.ts'

/**
 * etcd as far as membership and acknowledged writes go: logs on disks, a leader that is the longest log
 * among a majority of voters that run, and etcd's own rules for changing members
 * (etcd 3.6.16 server/etcdserver/server.go: mayAddMember, mayRemoveMember, mayPromote; strict reconfiguration on).
 */
export type Entry =
  | { put: string }
  | { add: string; seat: string; learner: boolean; founder?: true }
  | { remove: string }
  | { promote: string }
  | { name: string; of: string }

export interface MemberData {
  clusterId: string
  memberId: string
  log: Entry[]
  corrupt?: true
  /**
   * It follows, and what it acknowledges counts, but as a follower it serves no linearizable read: its raft
   * configuration lacks a member, say. No restart helps, for it is in the data.
   */
  unserving?: true
}

export interface ModelMember {
  id: string
  /** The peer URL stands for it. */
  seat: string
  learner: boolean
  /** Founders know each other's names from their command lines; an added member tells its own at its start. */
  named: boolean
}

export class EtcdRefusal extends Error {}

const folded = new WeakMap<readonly Entry[], { length: number; members: Map<string, ModelMember> }>()

export function membersOf(log: readonly Entry[]): Map<string, ModelMember> {
  const known = folded.get(log)
  if (known?.length === log.length) return known.members
  const members = fold(log)
  folded.set(log, { length: log.length, members })
  return members
}

function fold(log: readonly Entry[]): Map<string, ModelMember> {
  const members = new Map<string, ModelMember>()
  for (const entry of log) {
    if ('add' in entry) {
      const { add: id, seat, learner, founder } = entry
      members.set(id, { id, seat, learner, named: founder === true })
    } else if ('remove' in entry) members.delete(entry.remove)
    else if ('promote' in entry) {
      const member = members.get(entry.promote)
      if (member) members.set(member.id, { ...member, learner: false })
    } else if ('of' in entry) {
      const member = members.get(entry.of)
      if (member) members.set(member.id, { ...member, named: true })
    }
  }
  return members
}

export const removedBy = (log: readonly Entry[], id: string): boolean =>
  log.some((entry) => 'remove' in entry && entry.remove === id)

/** A majority of voters that run, and the longest log among them. */
export interface Group {
  clusterId: string
  log: Entry[]
  members: Map<string, ModelMember>
  alive: MemberData[]
  /** The member id of the leader. */
  leader: string
}

/** Every cluster that has a leader among the processes that run. Never two of one id: majorities meet. */
export function groups(running: readonly MemberData[]): Group[] {
  const found: Group[] = []
  for (const clusterId of new Set(running.map((data) => data.clusterId))) {
    const here = running.filter((data) => data.clusterId === clusterId)
    // Of equals, one that serves as a follower too.
    const rank = ({ log, unserving }: MemberData): number => log.length - (unserving ? 0.5 : 0)
    for (const candidate of [...here].sort((one, other) => rank(other) - rank(one))) {
      const members = membersOf(candidate.log)
      const voters = [...members.values()].filter(({ learner }) => !learner)
      // Nobody listens to a member that it knows as removed, nor votes for a shorter log than its own.
      const alive = here.filter(
        (data) => members.has(data.memberId) && !removedBy(data.log, candidate.memberId),
      )
      const voting = alive.filter(
        (data) => voters.some(({ id }) => id === data.memberId) && data.log.length <= candidate.log.length,
      )
      if (!voting.includes(candidate) || voting.length < majority(voters.length)) continue
      found.push({ clusterId, log: candidate.log, members, alive, leader: candidate.memberId })
      break
    }
  }
  return found
}

/** Appends to the leader and to those that `reach` lets through, but always to a majority of voters. */
export function commit(group: Group, entry: Entry, reach: (data: MemberData) => boolean = () => true): void {
  group.log.push(entry)
  const voters = [...group.members.values()].filter(({ learner }) => !learner).map(({ id }) => id)
  let have = 0
  for (const data of group.alive) {
    const votes = voters.includes(data.memberId)
    const left = majority(voters.length) - have
    if (data.log === group.log || reach(data) || (votes && left > 0)) {
      if (data.log !== group.log) data.log = [...group.log]
      if (votes) have += 1
    }
  }
  group.members = membersOf(group.log)
}

/** What time brings: followers catch up, names are published. */
export function settle(group: Group): void {
  for (const data of group.alive) {
    if (data.log !== group.log && data.log.length < group.log.length) data.log = [...group.log]
    const member = group.members.get(data.memberId)
    if (member && !member.named) commit(group, { name: member.seat, of: member.id })
  }
}

/** Whether it answers a linearizable read by itself. */
export const serves = (group: Group, data: MemberData): boolean =>
  group.alive.includes(data) && (!data.unserving || group.leader === data.memberId)

const voted = (group: Group) => [...group.members.values()].filter(({ learner }) => !learner)
const isAlive = (group: Group, id: string): boolean => group.alive.some((data) => data.memberId === id)

export function addLearner(group: Group, id: string, seat: string): void {
  const voters = voted(group).length
  const active = voted(group).filter((voter) => isAlive(group, voter.id)).length
  if (voters > 1 && active < majority(voters + 1)) throw new EtcdRefusal('unhealthy cluster')
  const members = [...group.members.values()]
  if (members.some((member) => member.seat === seat)) throw new EtcdRefusal('Peer URLs already exists')
  if (members.some(({ learner }) => learner)) throw new EtcdRefusal('too many learner members in cluster')
  commit(group, { add: id, seat, learner: true })
}

export function removeMember(group: Group, id: string): void {
  const member = group.members.get(id)
  if (!member) throw new EtcdRefusal('member not found')
  if (!member.learner) {
    const rest = voted(group).filter((voter) => voter.id !== id)
    // etcd counts as started what has a name.
    const started = rest.filter((voter) => voter.named).length
    if (rest.length === 0 || started < majority(rest.length)) {
      throw new EtcdRefusal('not enough started members')
    }
    const active = voted(group).filter((voter) => isAlive(group, voter.id)).length
    if (isAlive(group, id) && active - 1 < 1 + Math.floor((voted(group).length - 1) / 2)) {
      throw new EtcdRefusal('unhealthy cluster')
    }
    const voters = voted(group).map((voter) => ({ id: voter.id, healthy: isAlive(group, voter.id) }))
    if (!mayRemoveVoter(voters, id))
      throw new Error(`removing ${id} left the healthy voters without majority`)
  }
  commit(group, { remove: id })
}

export function promote(group: Group, id: string): void {
  if (!group.members.get(id)?.learner) throw new EtcdRefusal('can only promote a learner member')
  const data = group.alive.find((one) => one.memberId === id)
  if (!data || data.log.length < group.log.length) throw new EtcdRefusal('not in sync with leader')
  commit(group, { promote: id })
}

/**
 * What an agent sees that asks every seat's process; `first` chooses whose answer counts. Those that are cut off
 * from the others answer agents all the same.
 */
export function viewOf(
  running: readonly MemberData[],
  cutOff: readonly MemberData[],
  first: <T>(answers: readonly T[]) => T | undefined,
): ClusterView | undefined {
  const answering = [...running, ...cutOff]
  const led = first(groups(running))
  const some = led ?? first(answering)
  if (!some) return undefined
  const members = [...(led ? led.members : membersOf(some.log)).values()]
  return {
    quorum: led !== undefined,
    written: (led?.log ?? some.log).some((entry) => 'put' in entry),
    clusterId: some.clusterId,
    members: members.map((member) => {
      const data = answering.find((one) => one.memberId === member.id)
      const healthy = led !== undefined && data !== undefined && serves(led, data)
      return {
        id: member.id,
        name: member.named ? member.seat : '',
        isLearner: member.learner,
        answers: data !== undefined,
        healthy,
        ...(member.learner ? { caughtUp: healthy } : {}),
      }
    }),
  }
}

/**
 * Whether one voter may be removed: the healthy voters that remain must be a majority of the
 * smaller cluster. The same rule as etcd's strict reconfiguration check
 * (go.etcd.io/etcd server/etcdserver/api/membership, IsReadyToRemoveVotingMember).
 */
function mayRemoveVoter(voters: readonly { id: string; healthy: boolean }[], id: string): boolean {
  const rest = voters.filter((voter) => voter.id !== id)
  return hasQuorum(rest.length, rest.filter((voter) => voter.healthy).length)
}
