import { decideMember, type MemberObservation, type MemberStep } from '../../src/quorum/member.ts'
import { type Genesis, type MemberRecord, type Stamp, unusedMember } from '../../src/quorum/records.ts'
import { addLearner, EtcdRefusal, type Group, groups, promote, removeMember, viewOf } from './etcd-model.ts'
import { inWords } from './in-words.ts'
import { recall, type Versioned } from './recall.ts'
import { at, freshId, running, type SeatInStore, type SeatInWorld, tick, type World } from './world.ts'

/**
 * The agent's loop in the world: looks, decides by the real `decideMember`, and acts as
 * src/agent/etcd-act.ts does, in the same order. It yields after every durable effect, so that it can be
 * killed there and others can go on in between.
 */
class LostRace extends Error {}

const graceLooks = 6
const msOfLook = 5_000

/** As etcd's, a function of the peer URL and the token; readable. */
export const founderIdOf = ({ uuid, generation, attempt }: Genesis, seat: string): string =>
  `${seat}.${uuid}.${generation}.${attempt}`

const founders = (genesis: Genesis) => genesis.founders.map((seat) => founderIdOf(genesis, seat))

export interface Seen {
  observation: MemberObservation
  genesis: Versioned<Genesis> | undefined
  own: SeatInStore
}

export function look(world: World, seat: string): Seen | { waiting: string } {
  const it = at(world, seat)
  const { memory, disk } = it
  const seats = [...new Set([...memory.seats.keys(), ...world.store.seats.keys()])].map((name) => {
    const found = recall(world, memory.seats.get(name), world.store.seats.get(name))
    if (found.stored) memory.seats.set(name, found.stored)
    return { name, ...found }
  })
  const own = seats.find(({ name }) => name === seat)
  if (!own?.stored) return { waiting: 'no claim' }
  if (own.stored.value.machine !== it.machine) return { waiting: `held by ${own.stored.value.machine}` }
  const recalled = recall(world, memory.genesis, world.store.genesis)
  if (recalled.stored) memory.genesis = recalled.stored
  const genesis = recalled.stored
  const cluster = genesis && viewOf(running(world), (answers) => answers[world.choose(answers.length)])
  it.graceLooks = cluster?.quorum ? it.graceLooks + 1 : 0
  it.stuckLooks = cluster?.quorum && it.stuck ? it.stuckLooks + 1 : 0
  const healthy = cluster?.members.find((member) => member.id === disk.data?.memberId)?.healthy
  const records = seats.flatMap(({ stored }) => (stored ? [stored.value.member] : []))
  return {
    genesis,
    own: own.stored.value,
    observation: {
      seat,
      etcd: 'main',
      claimEpoch: own.stored.value.epoch,
      disk: !it.mounted
        ? { kind: 'not-proven', reason: `volume ${disk.volumeId} is not mounted` }
        : disk.stamp
          ? {
              kind: 'stamped',
              volumeId: disk.volumeId,
              stamp: disk.stamp,
              data:
                disk.data?.memberId !== disk.stamp.memberId
                  ? 'none'
                  : disk.data.corrupt && it.manifest === 'pod' && !healthy
                    ? 'corrupt'
                    : 'present',
            }
          : { kind: 'empty', volumeId: disk.volumeId },
      genesis: genesis?.value ?? (recalled.fresh ? 'none' : 'unknown'),
      storeReachable: recalled.fresh && seats.every(({ fresh }) => fresh),
      record: own.stored.value.member,
      signsOfFormation: seats
        .filter(({ name, stored }) => name !== seat && stored?.value.member.memberId)
        .map(({ name }) => `seat ${name} has a member`),
      declaredSeats: world.declared,
      running: it.manifest,
      ...(cluster ? { cluster } : {}),
      ...(it.stuck
        ? { stalled: { ms: it.stuckLooks * msOfLook, restarts: 0, silent: false, follows: false } }
        : {}),
      lostMemberIds: records.flatMap((one) => (one.state === 'lost' && one.memberId ? [one.memberId] : [])),
      recordedMemberIds: records.flatMap((one) => one.memberId ?? []),
      formationGraceOver: it.graceLooks > graceLooks,
      deadConnectionsEnded: true,
      ...(genesis?.value.founders.includes(seat) ? { founderId: founderIdOf(genesis.value, seat) } : {}),
    },
  }
}

/** Begins a turn; `step` carries it on. */
export function* turn(world: World, it: SeatInWorld): Generator<string, void> {
  const claimed = yield* claim(world, it)
  if (!claimed) {
    it.last = 'wait: a seat can only be claimed through the state store'
    return
  }
  const seen = look(world, it.seat)
  if ('waiting' in seen) {
    it.last = seen.waiting
    return
  }
  const decided = decideMember(seen.observation)
  it.last = inWords(decided)
  it.serves = votesNow(seen)
  if (['idle', 'wait', 'refuse', 'stop'].includes(decided.do)) return
  yield it.last
  yield* act(world, it, decided, seen)
}

function votesNow({ observation: { disk, cluster, genesis } }: Seen): boolean {
  if (typeof genesis !== 'object' || genesis.phase !== 'formed' || disk.kind !== 'stamped') return false
  return cluster?.members.find(({ id }) => id === disk.stamp.memberId)?.isLearner === false
}

function* claim(world: World, it: SeatInWorld): Generator<string, boolean> {
  if (world.store.away) return it.memory.seats.get(it.seat)?.value.machine === it.machine
  const found = world.store.seats.get(it.seat)
  const known = it.memory.seats.get(it.seat)
  if (known?.value.machine === it.machine || found?.value.machine === it.machine) return true
  const value: SeatInStore = {
    seat: it.seat,
    epoch: (found?.value.epoch ?? 0) + 1,
    machine: it.machine,
    member: found?.value.member ?? unusedMember(),
  }
  world.store.seats.set(it.seat, { value, revision: (found?.revision ?? 0) + 1 })
  yield `claim epoch ${value.epoch}`
  return true
}

function record(world: World, it: SeatInWorld, change: Partial<MemberRecord>): void {
  const found = world.store.seats.get(it.seat)
  if (world.store.away || found?.value.machine !== it.machine) throw new LostRace('the record')
  const value = { ...found.value, member: { ...found.value.member, ...change } }
  const stored = { value, revision: found.revision + 1 }
  world.store.seats.set(it.seat, stored)
  it.memory.seats.set(it.seat, stored)
}

function stop(it: SeatInWorld): void {
  it.manifest = 'no'
  it.stuck = false
}

function putGenesis(world: World, it: SeatInWorld, value: Genesis, ifRevision: number | undefined): void {
  if (world.store.away || world.store.genesis?.revision !== ifRevision) throw new LostRace('the genesis')
  world.store.genesis = { value, revision: (ifRevision ?? 0) + 1 }
  it.memory.genesis = world.store.genesis
}

function* act(world: World, it: SeatInWorld, step: MemberStep, seen: Seen): Generator<string, void> {
  const { disk } = it
  const { genesis, own } = seen
  try {
    switch (step.do) {
      case 'create-genesis': {
        const value: Genesis = {
          uuid: freshId(world, 'u'),
          generation: 1,
          attempt: 1,
          phase: 'forming',
          founders: [...step.founders],
        }
        return putGenesis(world, it, value, undefined)
      }
      case 'record-founding': {
        if (!genesis) return
        const mine = founderIdOf(genesis.value, it.seat)
        record(world, it, { state: 'founding', memberId: mine, volumeId: disk.volumeId, epoch: own.epoch })
        yield 'recorded, not stamped'
        disk.stamp = stampOf(it, seen, genesis.value, mine, founders(genesis.value).join('+'))
        return
      }
      case 'found':
      case 'start': {
        if (!genesis || !disk.stamp) return
        if (!('changesRefused' in step)) yield* fence(world, it, seen, disk.stamp)
        if (step.do === 'found') {
          disk.data ??= {
            clusterId: disk.stamp.clusterId,
            memberId: disk.stamp.memberId,
            log: genesis.value.founders.map((seat) => ({
              add: founderIdOf(genesis.value, seat),
              seat,
              learner: false,
              founder: true as const,
            })),
          }
          it.manifest = 'founding'
        } else it.manifest = 'pod'
        return
      }
      case 'new-attempt':
      case 'record-formed': {
        if (!genesis) return
        const { value, revision } = genesis
        const next: Genesis =
          step.do === 'new-attempt' ? { ...value, attempt: value.attempt + 1 } : { ...value, phase: 'formed' }
        return putGenesis(world, it, next, revision)
      }
      case 'restart':
        it.serves = false
        yield 'the apiserver has ended, etcd not yet'
        stop(it)
        return
      case 'set-aside':
        it.serves = false
        stop(it)
        yield 'stopped, not set aside'
        // The data goes first, the stamp that names it last.
        delete disk.data
        yield 'data set aside, stamp still there'
        delete disk.stamp
        yield 'set aside, not recorded'
        if (genesis?.value.phase === 'forming') record(world, it, { state: 'unused' })
        return
      case 'mark-lost':
        return record(world, it, { state: 'lost' })
      case 'record-voter':
        return record(world, it, { state: 'voter', memberId: step.id })
      case 'remove-members':
      case 'add-learner':
      case 'promote':
        return yield* underLock(world, it)
    }
  } catch (error) {
    if (!(error instanceof LostRace || error instanceof EtcdRefusal)) throw error
    it.last = `${step.do} failed: ${error.message}`
  }
}

function* fence(world: World, it: SeatInWorld, seen: Seen, stamp: Stamp): Generator<string, void> {
  const epoch = Math.max(stamp.epoch, seen.own.epoch)
  const formed = seen.genesis?.value.phase === 'formed'
  if (stamp.epoch < epoch || (formed && !stamp.formed)) {
    it.disk.stamp = { ...stamp, epoch, ...(formed ? { formed: true as const } : {}) }
    yield 'stamped, not recorded'
  }
  if (!seen.observation.storeReachable || seen.own.member.epoch === epoch) return
  record(world, it, { epoch, volumeId: stamp.volumeId })
  yield 'stamped, not started'
}

function* underLock(world: World, it: SeatInWorld): Generator<string, void> {
  if (world.lock || world.store.away) throw new LostRace('the membership lock')
  const lock = { holder: it.turn }
  world.lock = lock
  try {
    yield 'locked'
    const seen = look(world, it.seat)
    if ('waiting' in seen) return
    const step = decideMember(seen.observation)
    const group = (): Group => {
      const found = groups(running(world))[0]
      if (!found || world.lock !== lock) throw new LostRace('the lock or the quorum')
      return found
    }
    if (step.do === 'remove-members') {
      for (const id of step.ids) {
        removeMember(group(), id)
        yield `removed ${id}`
      }
    } else if (step.do === 'promote') promote(group(), step.id)
    else if (step.do === 'add-learner' && seen.genesis) {
      const id = freshId(world, 'm')
      const { clusterId: found } = group()
      addLearner(group(), id, it.seat)
      yield 'added, not recorded'
      const { volumeId } = it.disk
      record(world, it, { state: 'learner', memberId: id, volumeId, epoch: seen.own.epoch })
      yield 'recorded, not stamped'
      it.disk.stamp = stampOf(it, seen, seen.genesis.value, id, found)
    }
  } finally {
    if (world.lock === lock) delete world.lock
  }
}

function stampOf(it: SeatInWorld, seen: Seen, genesis: Genesis, id: string, cluster: string): Stamp {
  return {
    uuid: genesis.uuid,
    etcd: 'main',
    seat: it.seat,
    volumeId: it.disk.volumeId,
    epoch: seen.own.epoch,
    generation: genesis.generation,
    attempt: genesis.attempt,
    memberId: id,
    clusterId: cluster,
    ...(genesis.phase === 'formed' ? { formed: true as const } : {}),
  }
}

/** One effect of this seat's agent, and what time brings; returns what was done, if anything was. */
export function step(world: World, seat: string): string | undefined {
  const it = at(world, seat)
  if (!it.on) return undefined
  it.turn ??= turn(world, it)
  const { value, done } = it.turn.next()
  if (done) delete it.turn
  tick(world)
  return value ?? undefined
}

/** Kills the agent where it stands; a lock that it held expires by itself, later. */
export function killAgent(world: World, seat: string): void {
  delete at(world, seat).turn
}

/** A whole turn, from its beginning to its end. */
export function wholeTurn(world: World, seat: string, say: (line: string) => void = () => {}): void {
  const it = at(world, seat)
  const before = it.last
  do {
    step(world, seat)
  } while (it.turn)
  if (it.last !== before) say(`${seat}  ${it.last}`)
}

/** Everyone in turn until nothing changes any more. @returns the rounds it took. @throws Error after `most`. */
export function run(world: World, say: (line: string) => void = () => {}, most = 120): number {
  for (let round = 1; round <= most; round += 1) {
    delete world.lock
    const before = fingerprint(world)
    for (let look = 0; look < graceLooks + 2; look += 1) {
      for (const seat of world.seats.keys()) if (at(world, seat).on) wholeTurn(world, seat, say)
    }
    if (fingerprint(world) === before) return round
  }
  throw new Error(
    `nothing settled within ${most} rounds:\n${[...world.seats.values()].map(({ seat, last }) => `${seat}  ${last}`).join('\n')}`,
  )
}

const fingerprint = (world: World): string =>
  JSON.stringify([
    world.store.genesis,
    [...world.store.seats],
    [...world.seats.values()].map(({ disk, manifest, last, serves }) => [disk, manifest, last, serves]),
  ])
