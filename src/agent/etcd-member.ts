import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../errors.ts'
import { EtcdError } from '../etcd/errors.ts'
import { decideMember, type MemberStep } from '../quorum/member.ts'
import { StoreConflictError, StoreUnavailableError } from '../store/store.ts'
import { actOn } from './etcd-act.ts'
import { observeEtcd, type Seen } from './etcd-observe.ts'
import type { EtcdSeat } from './etcd-seat.ts'

const busyPauseMs = 150
const foundingPauseMs = 300
const idlePauseMs = 4_000

/** One etcd member of this machine's seat: observe, decide, act, for ever. */
export interface EtcdMemberLoop {
  /** True from the moment that the member votes in a formed cluster. */
  readonly votes: boolean
  /** The last step, for the heartbeat. */
  readonly last: MemberStep | undefined
}

/** Begins once `ready` (certificates and names) is there; never ends. */
export function runEtcdMember(at: EtcdSeat, ready: Promise<void>): EtcdMemberLoop {
  const part = `etcd ${at.etcd}`
  const observer = observeEtcd(at)
  let votes = false
  let last: MemberStep | undefined

  /** Returns whether all is well and the next look may be late. */
  async function turn(): Promise<boolean> {
    const seen = await observer.look()
    if ('waiting' in seen) {
      at.context.say(part, seen.waiting)
      return false
    }
    const step = decideMember(seen.observation)
    at.context.say(part, step.do === 'idle' ? undefined : `${step.do}: ${step.reason}`)
    last = step
    votes = isVoter(seen)
    if (step.do === 'idle')
      return seen.observation.running === 'pod' && seen.observation.cluster !== undefined
    if (step.do !== 'wait' && step.do !== 'refuse' && step.do !== 'stop')
      await actOn(at, observer, step, seen)
    // A member needs a moment; one that ends at once must not be started ten times a second.
    if (step.do === 'found') await sleep(foundingPauseMs)
    // The apiserver waits for the member by itself, while both start.
    if (step.do === 'start' && wasVoter(seen)) votes = true
    return false
  }

  const loop = async (): Promise<never> => {
    await ready
    for (;;) {
      let calm = false
      try {
        calm = await turn()
      } catch (error) {
        at.context.say(part, isExpected(error) ? messageOf(error) : `unexpected: ${messageOf(error)}`)
        await sleep(busyPauseMs * 2)
      }
      await sleep(calm ? idlePauseMs : busyPauseMs)
    }
  }
  void loop()
  return {
    get votes() {
      return votes
    },
    get last() {
      return last
    },
  }
}

/** A member that voted before it was started here: the stamp says by now that the cluster is formed. */
const wasVoter = ({ observation: { genesis, record } }: Seen): boolean =>
  typeof genesis === 'object' &&
  genesis.phase === 'formed' &&
  (record.state === 'voter' || record.state === 'founding')

function isVoter({ observation }: Seen): boolean {
  const { disk, cluster, genesis, record } = observation
  if (typeof genesis !== 'object' || genesis.phase !== 'formed') return false
  // Nothing is acknowledged before every disk that takes part says that the cluster is formed.
  if (disk.kind !== 'stamped' || !disk.stamp.formed) return false
  const me = cluster?.members.find((member) => member.id === disk.stamp.memberId)
  if (me) return !me.isLearner
  // Without a quorum it may still be a voter: its apiserver decides by its own health.
  return !cluster?.quorum && (record.state === 'voter' || record.state === 'founding')
}

const isExpected = (error: unknown): boolean =>
  error instanceof StoreConflictError || error instanceof StoreUnavailableError || error instanceof EtcdError
