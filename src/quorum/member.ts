import { hasQuorum } from './majority.ts'
import type { Genesis, MemberRecord, Stamp } from './records.ts'

/** Everything that the next step of one etcd member depends on. */
export interface MemberObservation {
  seat: string
  etcd: string
  /** The epoch of this machine's claim to the seat. */
  claimEpoch: number
  disk: Disk
  /** `unknown`: the store does not answer and nothing is remembered. */
  genesis: Genesis | 'none' | 'unknown'
  /** False: genesis and record are what this machine remembers from before. */
  storeReachable: boolean
  record: MemberRecord
  /** Another seat's record, a backup or a remembered genesis shows that the cluster existed before. */
  signsOfFormation: readonly string[]
  /** The seats that are declared; they become the founders. */
  declaredSeats: readonly string[]
  /** How etcd runs on this machine: the short-lived founding process, the static pod, or not. */
  running: 'no' | 'founding' | 'pod'
  /** What the members say; undefined while nobody answers. */
  cluster?: ClusterView
  /** The ids of the voters that seats gave up as lost. */
  lostMemberIds: readonly string[]
  /** Ids in any seat's record. */
  recordedMemberIds: readonly string[]
  /** Founders that have not come yet were waited for long enough. */
  formationGraceOver: boolean
  /** This member's id as a founder, computed from its peer URL and the token. */
  founderId?: string
}

export type Disk =
  | { kind: 'not-proven'; reason: string }
  | { kind: 'empty'; volumeId: string }
  | { kind: 'stamped'; volumeId: string; stamp: Stamp; data: 'none' | 'present' | 'corrupt'; detail?: string }

export interface ClusterView {
  /** A linearizable read succeeded. */
  quorum: boolean
  members: readonly ViewedMember[]
}

export interface ViewedMember {
  id: string
  name: string
  isLearner: boolean
  /** It answered just now. */
  healthy: boolean
  /** Learners: close enough to the leader's log to be promoted. */
  caughtUp?: boolean
}

export type MemberStep =
  /** `wait`: look again soon. `refuse`: this disk is never used. `stop`: only an operator goes on. */
  | { do: 'wait' | 'refuse' | 'stop' | 'idle'; reason: string }
  | { do: 'set-aside'; reason: string }
  | { do: 'create-genesis'; founders: readonly string[]; reason: string }
  | { do: 'record-founding'; reason: string }
  /** Runs the founding process (`--initial-cluster-state=new`); never a static pod. */
  | { do: 'found'; reason: string }
  | { do: 'new-attempt'; reason: string }
  | { do: 'record-formed'; reason: string }
  /** Puts the static pod in place; ends the founding process first. */
  | { do: 'start'; reason: string; changesRefused?: true }
  | { do: 'mark-lost'; reason: string }
  /** Under the membership lock. */
  | { do: 'remove-members'; ids: readonly string[]; reason: string }
  /** Under the membership lock. */
  | { do: 'add-learner'; reason: string }
  /** Under the membership lock. */
  | { do: 'promote'; id: string; reason: string }
  | { do: 'record-voter'; id: string; reason: string }

/** What an etcd member does next. The first rule that matches wins; the table is in docs/architecture.md. */
export function decideMember(seen: MemberObservation): MemberStep {
  const { disk, genesis } = seen
  if (disk.kind === 'not-proven') return { do: 'wait', reason: disk.reason }
  if (genesis === 'unknown') {
    return { do: 'wait', reason: 'the state store does not answer and this machine has never seen it' }
  }
  if (genesis === 'none') return withoutGenesis(seen)
  if (disk.kind === 'stamped') {
    const wrong = refusal(seen, disk, genesis)
    if (wrong) return { do: 'refuse', reason: wrong }
    if (storeWasRolledBack(seen, disk.stamp, genesis)) {
      return runAnyway(seen, 'the state store is older than this disk: running, but refusing every change')
    }
    if (isOlder(disk.stamp, genesis)) {
      return {
        do: 'set-aside',
        reason:
          `the disk is of generation ${disk.stamp.generation} attempt ${disk.stamp.attempt}, ` +
          `the cluster of ${genesis.generation}/${genesis.attempt}`,
      }
    }
  }
  return genesis.phase === 'forming' ? whileForming(seen, genesis) : onceFormed(seen)
}

function withoutGenesis(seen: MemberObservation): MemberStep {
  const signs = [...seen.signsOfFormation]
  if (seen.disk.kind === 'stamped') signs.push(`the disk ${seen.disk.volumeId} carries a member`)
  if (seen.record.state !== 'unused') signs.push(`seat ${seen.seat} is recorded as ${seen.record.state}`)
  if (signs.length > 0) {
    return {
      do: 'stop',
      reason:
        `the state store has no genesis of etcd ${seen.etcd}, but it was formed before (${signs.join('; ')}): ` +
        'rebuild the store; it is never founded anew',
    }
  }
  return {
    do: 'create-genesis',
    founders: [...seen.declaredSeats].sort(),
    reason: 'nothing of this cluster exists yet',
  }
}

/** Why this disk may not be used at all, or undefined. */
function refusal(
  seen: MemberObservation,
  disk: Extract<Disk, { kind: 'stamped' }>,
  genesis: Genesis,
): string | undefined {
  const { stamp } = disk
  if (stamp.uuid !== genesis.uuid) return `volume ${disk.volumeId} belongs to another cluster (${stamp.uuid})`
  if (stamp.seat !== seen.seat || stamp.etcd !== seen.etcd) {
    return `volume ${disk.volumeId} belongs to seat ${stamp.seat}, etcd ${stamp.etcd}`
  }
  if (stamp.volumeId !== disk.volumeId) return `volume ${disk.volumeId} is a copy of volume ${stamp.volumeId}`
  const sameMember = seen.record.volumeId === disk.volumeId && !isOlder(stamp, genesis)
  if (sameMember && stamp.epoch < seen.record.epoch) {
    return `volume ${disk.volumeId} is at epoch ${stamp.epoch}, its record at ${seen.record.epoch}: it is an old copy`
  }
  return undefined
}

const isOlder = (stamp: Stamp, genesis: Genesis): boolean =>
  stamp.generation < genesis.generation ||
  (stamp.generation === genesis.generation && stamp.attempt < genesis.attempt)

const storeWasRolledBack = (seen: MemberObservation, stamp: Stamp, genesis: Genesis): boolean =>
  stamp.epoch > seen.claimEpoch ||
  stamp.generation > genesis.generation ||
  (stamp.generation === genesis.generation && stamp.attempt > genesis.attempt)

function runAnyway(seen: MemberObservation, reason: string): MemberStep {
  if (seen.running === 'pod') return { do: 'idle', reason }
  return { do: 'start', reason, changesRefused: true }
}

function whileForming(seen: MemberObservation, genesis: Genesis): MemberStep {
  const { disk, record } = seen
  if (!genesis.founders.includes(seen.seat)) {
    return {
      do: 'wait',
      reason: `etcd ${seen.etcd} is still being founded by ${genesis.founders.join(', ')}`,
    }
  }
  if (!seen.storeReachable) return { do: 'wait', reason: 'founding needs the state store' }
  if (record.state === 'unused') return { do: 'record-founding', reason: 'this seat is a founder' }
  if (disk.kind === 'empty') {
    return {
      do: 'new-attempt',
      reason: `seat ${seen.seat} had begun to found etcd ${seen.etcd}, but its disk is empty`,
    }
  }
  if (seen.running === 'no') return { do: 'found', reason: 'a founder starts its member' }
  const started = seen.cluster?.members.filter((member) => member.healthy).length ?? 0
  const founders = genesis.founders.length
  const formed = seen.cluster?.quorum && hasQuorum(founders, started)
  if (formed && (started === founders || seen.formationGraceOver)) {
    return { do: 'record-formed', reason: `${started} of ${founders} founders are healthy` }
  }
  return { do: 'wait', reason: `${started} of ${founders} founders of etcd ${seen.etcd} are healthy` }
}

function onceFormed(seen: MemberObservation): MemberStep {
  const { disk, record } = seen
  const isMine = disk.kind === 'stamped' && disk.data !== 'none' && disk.stamp.memberId === record.memberId
  if (!isMine) return withoutMyMember(seen)
  if (disk.data === 'corrupt') {
    if (!othersHaveQuorum(seen, disk.stamp.memberId)) {
      return {
        do: 'wait',
        reason: `the member's data is corrupt (${disk.detail ?? 'no detail'}) and the others have no quorum`,
      }
    }
    return { do: 'set-aside', reason: `the member's data is corrupt: ${disk.detail ?? 'no detail'}` }
  }
  return withMyMember(seen, disk.stamp.memberId)
}

/** The disk is this seat's member: it runs with or without quorum, with or without the store. */
function withMyMember(seen: MemberObservation, id: string): MemberStep {
  if (seen.cluster?.quorum && !seen.cluster.members.some((member) => member.id === id)) {
    return { do: 'set-aside', reason: `member ${id} was removed from etcd ${seen.etcd}` }
  }
  if (seen.running !== 'pod') return { do: 'start', reason: `the disk holds member ${id}` }
  if (!seen.cluster) return { do: 'idle', reason: 'no member answers' }
  if (!seen.storeReachable) return { do: 'idle', reason: 'the state store is away: no changes' }
  const me = seen.cluster.members.find((member) => member.id === id)
  if (me?.isLearner && me.caughtUp) return { do: 'promote', id, reason: 'the learner has caught up' }
  if (me && !me.isLearner && seen.record.state !== 'voter') {
    return { do: 'record-voter', id, reason: 'the member votes now' }
  }
  const orphan = seen.cluster.members.find(
    (member) => member.isLearner && !seen.recordedMemberIds.includes(member.id),
  )
  if (seen.cluster.quorum && orphan) {
    return { do: 'remove-members', ids: [orphan.id], reason: 'a learner that no seat knows' }
  }
  return { do: 'idle', reason: 'the member runs' }
}

/** The disk holds nothing of the member that the record names: join again, under a new id. */
function withoutMyMember(seen: MemberObservation): MemberStep {
  const { disk, record } = seen
  if (!seen.storeReachable) return { do: 'wait', reason: 'joining needs the state store' }
  if (disk.kind === 'stamped' && disk.data !== 'none') {
    return {
      do: 'set-aside',
      reason: `the disk holds member ${disk.stamp.memberId}, the seat is ${record.memberId ?? 'without one'}`,
    }
  }
  // A learner that was added, recorded and stamped, but has never started.
  const joining =
    record.state === 'learner' && disk.kind === 'stamped' && disk.stamp.memberId === record.memberId
  if (!seen.cluster?.quorum) {
    return {
      do: 'wait',
      reason: seen.cluster
        ? `the disk is empty and etcd ${seen.etcd} has no quorum: only \`holdfast recover\` goes on`
        : `the disk is empty and no other member of etcd ${seen.etcd} answers`,
    }
  }
  if (joining && seen.cluster.members.some((member) => member.id === record.memberId)) {
    return { do: 'start', reason: `learner ${record.memberId} starts for the first time` }
  }
  if (record.state !== 'lost') return { do: 'mark-lost', reason: 'the disk of this seat is empty' }
  const listed = (id: string): boolean => seen.cluster?.members.some((member) => member.id === id) ?? false
  const mine = [record.memberId, seen.founderId].filter((id): id is string => id !== undefined)
  const orphans = seen.cluster.members
    .filter((member) => member.isLearner && !seen.recordedMemberIds.includes(member.id))
    .map((member) => member.id)
  const ids = [...new Set([...mine, ...seen.lostMemberIds, ...orphans])].filter(listed).sort()
  if (ids.length > 0) return { do: 'remove-members', ids, reason: 'their disks are lost' }
  return { do: 'add-learner', reason: 'the seat joins again under a new id' }
}

/** Whether the voters other than `id` are a majority by themselves. */
function othersHaveQuorum(seen: MemberObservation, id: string): boolean {
  const voters = seen.cluster?.members.filter((member) => !member.isLearner) ?? []
  const healthy = voters.filter((member) => member.healthy && member.id !== id)
  return (seen.cluster?.quorum ?? false) && hasQuorum(voters.length, healthy.length)
}
