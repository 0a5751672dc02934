import type { MemberObservation } from '../../src/quorum/member.ts'
import type { Genesis } from '../../src/quorum/records.ts'
import { lookAtStall } from '../../src/quorum/stall.ts'
import { viewOf } from './etcd-model.ts'
import { recall, type Versioned } from './recall.ts'
import { attach, cutOff, type MachineInWorld, running, runs, type SeatInStore, type World } from './world.ts'

/** What an agent of the world observes, as src/agent/etcd-observe.ts does. */
export interface Seen {
  observation: MemberObservation
  genesis: Versioned<Genesis> | undefined
  own: SeatInStore
}

export const graceLooks = 6
/** A master's connections end in the first few seconds of its successor. */
const deadConnectionLooks = 2
const msOfLook = 30_000

/** As etcd's, a function of the peer URL and the token; readable. */
export const founderIdOf = ({ uuid, generation, attempt }: Genesis, seat: string): string =>
  `${seat}.${uuid}.${generation}.${attempt}`

export function look(world: World, it: MachineInWorld): Seen | { waiting: string } {
  const { memory, disk, seat } = it
  it.looks += 1
  const seats = [...new Set([...memory.seats.keys(), ...world.store.seats.keys()])].map((name) => {
    const found = recall(world, memory.seats.get(name), world.store.seats.get(name))
    if (found.stored) memory.seats.set(name, found.stored)
    return { name, ...found }
  })
  const own = seats.find(({ name }) => name === seat)
  if (!own?.stored) return { waiting: 'no claim' }
  if (own.stored.value.machine !== it.machine)
    return { waiting: `seat ${seat} is held by another machine now` }
  const recalled = recall(world, memory.genesis, world.store.genesis)
  if (recalled.stored) memory.genesis = recalled.stored
  const genesis = recalled.stored
  const unproven = attach(world, it)
  const cluster =
    genesis && viewOf(running(world), cutOff(world), (answers) => answers[world.choose(answers.length)])
  it.graceLooks = cluster?.quorum ? it.graceLooks + 1 : 0
  const healthy = cluster?.members.find((member) => member.id === disk.data?.memberId)?.healthy ?? false
  const stalled = lookAtMember(world, it, cluster?.quorum ?? false, healthy)
  const records = seats.flatMap(({ stored }) => (stored ? [stored.value.member] : []))
  return {
    genesis,
    own: own.stored.value,
    observation: {
      seat,
      etcd: 'main',
      claimEpoch: own.stored.value.epoch,
      disk: unproven ? { kind: 'not-proven', reason: unproven } : diskOf(it, healthy),
      genesis: genesis?.value ?? (recalled.fresh ? 'none' : 'unknown'),
      storeReachable: recalled.fresh && seats.every(({ fresh }) => fresh),
      record: own.stored.value.member,
      signsOfFormation: seats
        .filter(({ name, stored }) => name !== seat && stored?.value.member.memberId)
        .map(({ name }) => `seat ${name} has a member`),
      declaredSeats: world.declared,
      running: it.manifest,
      ...(cluster ? { cluster } : {}),
      ...(stalled ? { stalled } : {}),
      lostMemberIds: records.flatMap((one) => (one.state === 'lost' && one.memberId ? [one.memberId] : [])),
      recordedMemberIds: records.flatMap((one) => one.memberId ?? []),
      formationGraceOver: it.graceLooks > graceLooks,
      deadConnectionsEnded: it.looks > deadConnectionLooks,
      ...(genesis?.value.founders.includes(seat) ? { founderId: founderIdOf(genesis.value, seat) } : {}),
    },
  }
}

function diskOf({ disk, manifest }: MachineInWorld, healthy: boolean): MemberObservation['disk'] {
  const { volumeId, stamp, data } = disk
  if (!stamp) return { kind: 'empty', volumeId }
  const found = data?.memberId === stamp.memberId ? data : undefined
  const isDamaged = found?.corrupt && manifest === 'pod' && !healthy
  return { kind: 'stamped', volumeId, stamp, data: !found ? 'none' : isDamaged ? 'corrupt' : 'present' }
}

/** For how long it has come no nearer. */
export const stuckForMs = ({ looks, stall: { still } }: MachineInWorld): number =>
  still ? looks * msOfLook - still.sinceMs : 0

/** How long it has been stuck; entries of the log are what etcd's metrics tell. */
function lookAtMember(world: World, it: MachineInWorld, quorum: boolean, healthy: boolean) {
  const isPod = it.manifest === 'pod' && it.disk.stamp !== undefined
  const answers = runs(it) && !it.stuck
  const { stall, stalled } = lookAtStall(it.stall, {
    healthy: isPod && healthy,
    quorum: isPod && quorum,
    others: Math.max(0, ...running(world).map(({ log }) => log.length)),
    progress: answers ? { applied: it.disk.data?.log.length ?? 0, busy: false } : undefined,
    nowMs: it.looks * msOfLook,
  })
  it.stall = stall
  return stalled
}
