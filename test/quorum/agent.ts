import { decideMember, type MemberStep } from '../../src/quorum/member.ts'
import { type Genesis, type MemberRecord, type Stamp, unusedMember } from '../../src/quorum/records.ts'
import { restarted } from '../../src/quorum/stall.ts'
import { addLearner, commit, EtcdRefusal, type Group, groups, promote, removeMember } from './etcd-model.ts'
import { inWords } from './in-words.ts'
import { founderIdOf, graceLooks, look, type Seen, stuckForMs } from './look.ts'
import { recall } from './recall.ts'
import {
  at,
  freshId,
  type MachineInWorld,
  machines,
  majoritySurvives,
  running,
  type SeatInStore,
  serving,
  tick,
  type World,
} from './world.ts'

/**
 * The agent's loop in the world: looks, decides by the real `decideMember`, and acts as
 * src/agent/etcd-act.ts does, in the same order. It yields after every durable effect, so that it can be
 * killed there and others can go on in between.
 */
class LostRace extends Error {}

const founders = (genesis: Genesis) => genesis.founders.map((seat) => founderIdOf(genesis, seat))

/** Begins a turn; `step` carries it on. */
export function* turn(world: World, it: MachineInWorld): Generator<string, void> {
  const refused = it.claimed ? undefined : yield* claim(world, it)
  if (refused) return say(world, it, `wait: ${refused}`)
  it.claimed = true
  const seen = look(world, it)
  if ('waiting' in seen) return say(world, it, `wait: ${seen.waiting}`)
  const decided = decideMember(seen.observation)
  say(world, it, inWords(decided))
  it.serves = votesNow(seen)
  if (['idle', 'wait', 'refuse', 'stop'].includes(decided.do)) return
  if (decided.do === 'set-aside') checkSetAside(world, it, seen)
  yield it.last
  yield* act(world, it, decided, seen)
}

function say(world: World, it: MachineInWorld, what: string): void {
  it.last = what
  world.said.add(what)
}

function votesNow({ observation: { disk, cluster, genesis } }: Seen): boolean {
  if (typeof genesis !== 'object' || genesis.phase !== 'formed' || disk.kind !== 'stamped') return false
  return cluster?.members.find(({ id }) => id === disk.stamp.memberId)?.isLearner === false
}

/** What is set aside now is needed by no majority, and nobody who is only cut off loses what it has. */
function checkSetAside(world: World, it: MachineInWorld, { genesis }: Seen): void {
  // In what came before the cluster was formed nothing was acknowledged.
  if (genesis?.value.phase !== 'formed' || it.disk.stamp?.attempt !== genesis.value.attempt) return
  if (majoritySurvives(world) && !majoritySurvives(world, (disk) => disk !== it.disk)) {
    throw new Error(`${it.seat} sets aside what a majority needs: ${it.last}`)
  }
  if (it.cut && !it.disk.data?.unserving && it.last.includes('restarts')) {
    throw new Error(`${it.seat} is only cut off: ${it.last}`)
  }
}

/** Why the seat is not this machine's, as src/agent/claim.ts. */
function* claim(world: World, it: MachineInWorld): Generator<string, string | undefined> {
  const { seat, machine, memory } = it
  const { stored: found, fresh } = recall(world, memory.seats.get(seat), world.store.seats.get(seat))
  if (found?.value.machine === machine) return undefined
  if (!fresh) return 'a seat can only be claimed through the state store'
  const isHeld = [...machines(world).values()].some(
    (one) => one.listed && one.machine === found?.value.machine,
  )
  if (isHeld) return `seat ${seat} is held by another machine, which is running`
  const value: SeatInStore = {
    seat,
    epoch: (found?.value.epoch ?? 0) + 1,
    machine,
    member: found?.value.member ?? unusedMember(),
  }
  const stored = { value, revision: (found?.revision ?? 0) + 1 }
  world.store.seats.set(seat, stored)
  memory.seats.set(seat, stored)
  yield `claim epoch ${value.epoch}`
  return undefined
}

function record(world: World, it: MachineInWorld, change: Partial<MemberRecord>): void {
  const found = world.store.seats.get(it.seat)
  if (world.store.away || found?.value.machine !== it.machine) throw new LostRace('the record')
  const value = { ...found.value, member: { ...found.value.member, ...change } }
  const stored = { value, revision: found.revision + 1 }
  world.store.seats.set(it.seat, stored)
  it.memory.seats.set(it.seat, stored)
}

function stop(it: MachineInWorld): void {
  it.manifest = 'no'
  it.stuck = false
}

function putGenesis(world: World, it: MachineInWorld, value: Genesis, ifRevision: number | undefined): void {
  if (world.store.away || world.store.genesis?.revision !== ifRevision) throw new LostRace('the genesis')
  world.store.genesis = { value, revision: (ifRevision ?? 0) + 1 }
  it.memory.genesis = world.store.genesis
}

function* act(world: World, it: MachineInWorld, step: MemberStep, seen: Seen): Generator<string, void> {
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
        it.stall = restarted(it.stall)
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

function* fence(world: World, it: MachineInWorld, seen: Seen, stamp: Stamp): Generator<string, void> {
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

function* underLock(world: World, it: MachineInWorld): Generator<string, void> {
  if (world.lock || world.store.away) throw new LostRace('the membership lock')
  const lock = { holder: it.turn }
  world.lock = lock
  try {
    yield 'locked'
    const seen = look(world, it)
    if ('waiting' in seen) return
    const step = decideMember(seen.observation)
    if (step.do === 'remove-members') checkRemoval(world, step.ids)
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

/** A voter that answers is still somebody's. */
function checkRemoval(world: World, ids: readonly string[]): void {
  for (const group of groups(running(world))) {
    const alive = group.alive.find(({ memberId }) => ids.includes(memberId))
    if (alive && !group.members.get(alive.memberId)?.learner) {
      throw new Error(`${alive.memberId} is removed, and answers`)
    }
  }
}

function stampOf(it: MachineInWorld, seen: Seen, genesis: Genesis, id: string, cluster: string): Stamp {
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

/** One effect of this machine's agent, and what time brings; returns what was done, if anything was. */
export function step(world: World, name: string): string | undefined {
  const it = at(world, name)
  if (!it.on) return undefined
  it.turn ??= turn(world, it)
  const { value, done } = it.turn.next()
  if (done) delete it.turn
  tick(world)
  return value ?? undefined
}

/** A whole turn, from its beginning to its end. */
export function wholeTurn(world: World, name: string, say: (line: string) => void = () => {}): void {
  const it = at(world, name)
  const before = it.last
  do {
    step(world, name)
  } while (it.turn)
  if (it.last !== before) say(`${name}  ${it.last}`)
}

/** Everyone in turn until nothing is new any more. @returns the rounds it took. @throws Error after `most`. */
export function run(world: World, say: (line: string) => void = () => {}, most = 120): number {
  const seen = new Set([fingerprint(world)])
  for (let round = 1; round <= most; round += 1) {
    delete world.lock
    for (let looks = 0; looks < graceLooks + 2; looks += 1) {
      for (const [name, { on }] of machines(world)) if (on) wholeTurn(world, name, say)
      renewLeases(world)
    }
    const now = fingerprint(world)
    if (seen.has(now)) return round
    seen.add(now)
  }
  throw new Error(
    `nothing settled within ${most} rounds:\n${[...machines(world)].map(([name, { last }]) => `${name}  ${last}`).join('\n')}`,
  )
}

/** Something is written all the time; it matters to members that follow and serve nothing. */
function renewLeases(world: World): void {
  if (![...machines(world).values()].some(({ stall }) => stall.still)) return
  for (const group of groups(running(world))) if (serving(world, group)) commit(group, { put: 'lease' })
}

/** Ever more time is given up to this: nothing changes later for being older, nor after more restarts. */
const longestPatienceMs = 500_000
const mostRestarts = 5

const fingerprint = (world: World): string =>
  JSON.stringify([
    world.store.genesis,
    [...world.store.seats],
    [...machines(world).values()].map((it) => {
      const { stamp, data, attachedTo } = it.disk
      const { clusterId, memberId, corrupt, unserving } = data ?? {}
      const stuck = [Math.min(longestPatienceMs, stuckForMs(it)), Math.min(mostRestarts, it.stall.restarts)]
      return [
        [stamp, attachedTo, clusterId, memberId, corrupt, unserving],
        [it.manifest, it.last, it.serves, ...stuck],
      ]
    }),
  ])
