import { hasQuorum } from './majority.ts'
import type { ClusterView, Disk, MemberObservation, MemberStep, ViewedMember } from './observation.ts'
import type { Genesis, Stamp } from './records.ts'
import { othersHaveQuorum, whenStuck } from './stuck.ts'

export type { ClusterView, Disk, MemberObservation, MemberStep, ViewedMember } from './observation.ts'

/** What an etcd member does next. The first rule that matches wins; the table is in docs/architecture.md. */
export function decideMember(observed: MemberObservation): MemberStep {
  const step = decide(ofThisCluster(observed))
  const noRoom = observed.disk.kind === 'stamped' && observed.disk.noRoom
  if (step.do !== 'set-aside' || !noRoom) return step
  return { do: 'wait', reason: `${step.reason}; it is not set aside while ${noRoom}` }
}

function decide(seen: MemberObservation): MemberStep {
  const { disk, genesis } = seen
  if (disk.kind === 'not-proven') return { do: 'wait', reason: disk.reason }
  if (genesis === 'unknown') {
    return { do: 'wait', reason: 'the state store does not answer and this machine has never seen it' }
  }
  if (genesis === 'none') return withoutGenesis(seen)
  if (disk.kind === 'stamped') {
    const wrong = refusal(seen, disk, genesis)
    if (wrong) return { do: 'refuse', reason: wrong }
    if (storeWasRolledBack(seen, disk.stamp, genesis)) return runAnyway(seen, disk)
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

/**
 * Members of an earlier attempt or generation may still answer under the seats' names. What they say about
 * membership is true of their cluster only: by it a recovered member would look removed.
 */
function ofThisCluster(seen: MemberObservation): MemberObservation {
  const { disk, cluster, ...rest } = seen
  const answered = cluster?.clusterId
  if (disk.kind !== 'stamped' || !answered || answered === disk.stamp.clusterId) return seen
  return { ...rest, disk }
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
  // Founders are written down once: a cluster whose groups are not all declared yet must not be founded.
  if (!seen.declaredSeats.includes(seen.seat)) {
    return { do: 'wait', reason: `no declared instance group has seat ${seen.seat} yet` }
  }
  return {
    do: 'create-genesis',
    founders: [...seen.declaredSeats].sort(),
    reason: 'nothing of this cluster exists yet',
  }
}

type StampedDisk = Extract<Disk, { kind: 'stamped' }>

/** Why this disk may not be used at all, or undefined. */
function refusal(seen: MemberObservation, disk: StampedDisk, genesis: Genesis): string | undefined {
  const { stamp } = disk
  if (stamp.uuid !== genesis.uuid) return `volume ${disk.volumeId} belongs to another cluster (${stamp.uuid})`
  if (stamp.seat !== seen.seat || stamp.etcd !== seen.etcd) {
    return `volume ${disk.volumeId} belongs to seat ${stamp.seat}, etcd ${stamp.etcd}`
  }
  if (stamp.volumeId !== disk.volumeId) return `volume ${disk.volumeId} is a copy of volume ${stamp.volumeId}`
  // Killed after its record and before its stamp, a new member leaves the stamp of one that never started.
  const leftOver = disk.data === 'none' && stamp.memberId !== seen.record.memberId
  const current = seen.record.volumeId === disk.volumeId && !isOlder(stamp, genesis) && !leftOver
  if (current && stamp.epoch < seen.record.epoch) {
    return `volume ${disk.volumeId} is at epoch ${stamp.epoch}, its record at ${seen.record.epoch}: it is an old copy`
  }
  return undefined
}

const isOlder = (stamp: Stamp, genesis: Genesis): boolean =>
  stamp.generation < genesis.generation ||
  (stamp.generation === genesis.generation && stamp.attempt < genesis.attempt)

function storeWasRolledBack(seen: MemberObservation, stamp: Stamp, genesis: Genesis): boolean {
  if (stamp.epoch > seen.claimEpoch || stamp.generation > genesis.generation) return true
  if (stamp.generation < genesis.generation) return false
  // A formed generation has no further attempts: what they would set aside was acknowledged.
  return (
    stamp.attempt > genesis.attempt ||
    (stamp.formed === true && (genesis.phase === 'forming' || stamp.attempt < genesis.attempt))
  )
}

function runAnyway(seen: MemberObservation, disk: StampedDisk): MemberStep {
  const older = 'the state store is older than this disk'
  // An empty folder under a voter's id would vote without remembering what it acknowledged.
  if (disk.data === 'none') return { do: 'wait', reason: `${older}, which holds no data: rebuild the store` }
  const reason = `${older}: running, but refusing every change`
  if (seen.running === 'pod') return { do: 'idle', reason }
  return { do: 'start', reason, changesRefused: true }
}

function whileForming(seen: MemberObservation, genesis: Genesis): MemberStep {
  const { disk, record, cluster } = seen
  if (!genesis.founders.includes(seen.seat)) {
    return {
      do: 'wait',
      reason: `etcd ${seen.etcd} is still being founded by ${genesis.founders.join(', ')}`,
    }
  }
  if (!seen.storeReachable) return { do: 'wait', reason: 'founding needs the state store' }
  // The stamp on a founder's disk, written before its first start, tells whether it may start with `new`;
  // the members' list does not: the others know every founder's name from their own command lines.
  if (cluster?.written && !(disk.kind === 'stamped' && disk.data !== 'none')) {
    return {
      do: 'stop',
      reason:
        `the genesis of etcd ${seen.etcd} says forming, but its members hold acknowledged writes: ` +
        'rebuild the store; it is never founded anew',
    }
  }
  if (record.state !== 'unused' && record.state !== 'founding') {
    return {
      do: 'stop',
      reason:
        `the genesis of etcd ${seen.etcd} says forming, but seat ${seen.seat} is recorded as ${record.state}: ` +
        'rebuild the store; it is never founded anew',
    }
  }
  // A record of an earlier attempt is as good as none: its disk was set aside, or never stamped.
  const ofEarlier = seen.founderId !== undefined && record.memberId !== seen.founderId
  if (record.state === 'unused' || ofEarlier) {
    return { do: 'record-founding', reason: `this seat is a founder (attempt ${genesis.attempt})` }
  }
  if (disk.kind !== 'stamped') {
    return {
      do: 'new-attempt',
      reason: `seat ${seen.seat} had begun to found etcd ${seen.etcd}, but its disk is empty`,
    }
  }
  if (seen.running === 'no') return { do: 'found', reason: 'a founder starts its member' }
  const healthy = cluster?.members.filter((member) => member.healthy) ?? []
  const founders = genesis.founders.length
  const count = `${healthy.length} of ${founders} founders of etcd ${seen.etcd} are healthy`
  // Its own id among them proves that they are of this attempt: ids are made of the token.
  const formed =
    cluster?.quorum &&
    hasQuorum(founders, healthy.length) &&
    healthy.some((member) => member.id === disk.stamp.memberId)
  if (formed && (healthy.length === founders || seen.formationGraceOver)) {
    return { do: 'record-formed', reason: count }
  }
  return { do: 'wait', reason: count }
}

function onceFormed(seen: MemberObservation): MemberStep {
  const { disk, record, cluster } = seen
  if (disk.kind !== 'stamped' || disk.data === 'none') return withoutMyMember(seen)
  const { memberId } = disk.stamp
  if (memberId !== record.memberId && !(cluster?.quorum && isListed(seen, memberId))) {
    return withAnotherMember(seen, memberId)
  }
  if (disk.data === 'corrupt') {
    const detail = disk.detail ?? 'no detail'
    if (othersHaveQuorum(seen, memberId)) {
      return { do: 'set-aside', reason: `the member's data is corrupt: ${detail}` }
    }
    return { do: 'wait', reason: `the member's data is corrupt (${detail}) and the others have no quorum` }
  }
  return withMyMember(seen, memberId)
}

/** The disk is this seat's member: it runs with or without quorum, with or without the store. */
function withMyMember(seen: MemberObservation, id: string): MemberStep {
  const { cluster } = seen
  if (cluster?.quorum && !isListed(seen, id)) {
    return { do: 'set-aside', reason: `member ${id} was removed from etcd ${seen.etcd}` }
  }
  if (seen.running !== 'pod') return { do: 'start', reason: `the disk holds member ${id}` }
  if (!cluster) return { do: 'idle', reason: 'no member answers' }
  const remedy = whenStuck(seen, id)
  if (remedy) return remedy
  if (!seen.storeReachable) return { do: 'idle', reason: 'the state store is away: no changes' }
  if (!cluster.quorum) return { do: 'idle', reason: `etcd ${seen.etcd} has no quorum: no changes` }
  const me = cluster.members.find((member) => member.id === id)
  if (me?.isLearner && me.caughtUp) return { do: 'promote', id, reason: 'the learner has caught up' }
  const recorded = seen.record.state === 'voter' && seen.record.memberId === id
  if (me && !me.isLearner && !recorded) return { do: 'record-voter', id, reason: 'the member votes now' }
  const orphan = orphans(seen)[0]
  if (orphan) return { do: 'remove-members', ids: [orphan.id], reason: 'a learner that no seat knows' }
  return { do: 'idle', reason: 'the member runs' }
}

/**
 * The disk holds another member of this seat than the record names. Only the members' own list tells
 * which is right; of old disks alone, two could be a quorum of what has long been overwritten.
 */
function withAnotherMember(seen: MemberObservation, memberId: string): MemberStep {
  const what = `the disk holds member ${memberId}, the seat is ${seen.record.memberId ?? 'without one'}`
  if (!seen.storeReachable) return { do: 'wait', reason: `${what}: joining needs the state store` }
  if (!seen.cluster?.quorum) return { do: 'wait', reason: `${what}, and etcd ${seen.etcd} has no quorum` }
  return { do: 'set-aside', reason: what }
}

/** The disk holds nothing of the member that the record names: join again, under a new id. */
function withoutMyMember(seen: MemberObservation): MemberStep {
  const { disk, record, cluster } = seen
  if (!seen.storeReachable) return { do: 'wait', reason: 'joining needs the state store' }
  if (!cluster?.quorum) {
    const why = cluster
      ? `etcd ${seen.etcd} has no quorum`
      : `no other member of etcd ${seen.etcd} answers; should they all be lost`
    return {
      do: 'wait',
      reason: `the disk is empty and ${why}: it is never founded anew; only its own data or a backup brings it back`,
    }
  }
  const recorded = cluster.members.find((member) => member.id === record.memberId)
  // Added, recorded and stamped, but never started: a member that has started once has a name.
  const stamped = disk.kind === 'stamped' && disk.stamp.memberId === record.memberId
  if (record.state === 'learner' && stamped && recorded?.isLearner && recorded.name === '') {
    return { do: 'start', reason: `learner ${recorded.id} starts for the first time` }
  }
  // The disk was looked at before the members were, and it began to write in between.
  if (record.state === 'learner' && stamped && recorded?.isLearner && seen.running === 'pod') {
    return { do: 'wait', reason: `learner ${recorded.id} has started` }
  }
  const mine = cluster.members.filter(
    ({ id, name }) => id === record.memberId || id === seen.founderId || name === seen.seat,
  )
  const alive = mine.find((member) => member.answers)
  if (alive) {
    return { do: 'wait', reason: `the disk is empty, but member ${alive.id} of seat ${seen.seat} answers` }
  }
  if (record.state !== 'lost') return { do: 'mark-lost', reason: 'the disk of this seat is empty' }
  const lost = cluster.members.filter(({ id, answers }) => !answers && seen.lostMemberIds.includes(id))
  const ids = [...new Set([...mine, ...lost, ...orphans(seen)].map(({ id }) => id))].sort()
  if (ids.length === 0)
    return whyNotAdd(cluster) ?? { do: 'add-learner', reason: 'the seat joins again under a new id' }
  // A leader that removes a member stands still until its connections to that member have ended.
  return seen.deadConnectionsEnded
    ? { do: 'remove-members', ids, reason: 'their disks are lost' }
    : { do: 'wait', reason: 'the others’ connections to the machine before this one end first' }
}

/**
 * What etcd would refuse: a second learner (`--max-learners` is 1), and an addition where those who answer would be
 * no majority of the voters and one more (etcd 3.6.16 server/etcdserver, mayAddMember). To answer is enough for
 * that: a voter that follows and serves nothing is ended for it only once the seat that joins here votes.
 */
function whyNotAdd(cluster: ClusterView): MemberStep | undefined {
  const learner = cluster.members.find((member) => member.isLearner)
  if (learner) return { do: 'wait', reason: `learner ${learner.id} joins first: etcd takes one at a time` }
  const voters = cluster.members.length
  const away = cluster.members.filter(({ answers }) => !answers)
  const [first] = away
  if (!first || hasQuorum(voters + 1, voters - away.length)) return undefined
  return { do: 'wait', reason: `etcd adds no member while voter ${first.name || first.id} does not answer` }
}

const isListed = (seen: MemberObservation, id: string): boolean =>
  seen.cluster?.members.some((member) => member.id === id) ?? false

const orphans = (seen: MemberObservation): ViewedMember[] =>
  (seen.cluster?.members ?? []).filter(
    (member) => member.isLearner && !seen.recordedMemberIds.includes(member.id),
  )
