import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../errors.ts'
import { EtcdError } from '../etcd/errors.ts'
import { decideMember } from '../quorum/member.ts'
import { StoreConflictError, StoreUnavailableError } from '../store/store.ts'
import { actOn } from './etcd-act.ts'
import { observeEtcd, type Seen } from './etcd-observe.ts'
import type { EtcdSeat } from './etcd-seat.ts'

const busyPauseMs = 150
const foundingPauseMs = 300
const idlePauseMs = 5_000
/** A member that has just started or joined serves within this time. */
const hopefulMs = 15_000

/** One etcd member of this machine's seat: observe, decide, act, for ever. */
export interface EtcdMemberLoop {
  /** True from the moment that the member has voted in a formed cluster, until this agent ends it. */
  readonly votes: boolean
}

/** Begins once `ready` (certificates and names) is there; never ends. */
export function runEtcdMember(at: EtcdSeat, ready: Promise<void>): EtcdMemberLoop {
  const part = `etcd ${at.etcd}`
  const observer = observeEtcd(at)
  let votes = false

  /** Returns whether all is well and the next look may be late. */
  async function turn(): Promise<boolean> {
    const seen = await observer.look()
    if ('waiting' in seen) {
      at.context.say(part, seen.waiting)
      return false
    }
    const step = decideMember(seen.observation)
    at.context.say(part, step.do === 'idle' ? undefined : `${step.do}: ${step.reason}`)
    const { running, cluster } = seen.observation
    // An apiserver that finds no member gives up after 20 s, and looks seldom until then.
    if (running === 'pod' && isVoter(seen)) votes = true
    // The apiserver beside it ends with it.
    if (step.do === 'set-aside' || step.do === 'restart') votes = false
    // One that has been stuck for long gets no better by being looked at.
    const settled = votes || (seen.observation.stalled?.ms ?? 0) > hopefulMs
    if (step.do === 'idle') return running === 'pod' && cluster !== undefined && settled
    if (step.do !== 'wait' && step.do !== 'refuse' && step.do !== 'stop')
      await actOn(at, observer, step, seen)
    // A member needs a moment; one that ends at once must not be started ten times a second.
    if (step.do === 'found') await sleep(foundingPauseMs)
    // A founder has answered already: it is back in a moment, and the apiserver waits by itself.
    if (step.do === 'start' && running === 'founding') votes = true
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
  }
}

/** Whether the own member answers, and votes. */
function isVoter({ observation: { disk, cluster } }: Seen): boolean {
  const me = disk.kind === 'stamped' && cluster?.members.find(({ id }) => id === disk.stamp.memberId)
  return me ? me.healthy && !me.isLearner : false
}

const isExpected = (error: unknown): boolean =>
  error instanceof StoreConflictError || error instanceof StoreUnavailableError || error instanceof EtcdError
