import { hasQuorum } from './majority.ts'
import type { MemberObservation, MemberStep } from './observation.ts'

/**
 * How long a member may serve nothing before its first restart, and one that says nothing, because it loads its
 * data or hangs; twice as long before each further one.
 */
const patienceMs = 30_000
const silentPatienceMs = 120_000
const longestPatienceMs = 8 * 60_000

function isStuck(
  seen: MemberObservation,
  stalled: NonNullable<MemberObservation['stalled']>,
  id: string,
): boolean {
  if (!othersHaveQuorum(seen, id)) return false
  const first = stalled.silent ? silentPatienceMs : patienceMs
  return stalled.ms >= Math.min(longestPatienceMs, first * 2 ** stalled.restarts)
}

/** In vain so often, and its data is what is wrong. */
const restartsBeforeRejoining = 2

/**
 * A member that takes in what the others write, serves nothing and is not helped by restarts joins again. One
 * that is cut off is restarted and keeps its data.
 */
export function whenStuck(seen: MemberObservation, id: string): MemberStep | undefined {
  const { stalled, storeReachable } = seen
  if (!stalled || !isStuck(seen, stalled, id)) return undefined
  const { ms, restarts, follows } = stalled
  const what = `the others have a quorum, but for ${Math.round(ms / 1000)} s the member has served nothing`
  if (follows && restarts >= restartsBeforeRejoining && storeReachable) {
    return { do: 'set-aside', reason: `${what}, though it follows them, and restarts have not helped` }
  }
  return { do: 'restart', reason: `${what} and come no nearer` }
}

/** Whether the voters other than `id` are a majority by themselves. */
export function othersHaveQuorum(seen: MemberObservation, id: string): boolean {
  const voters = seen.cluster?.members.filter((member) => !member.isLearner) ?? []
  const healthy = voters.filter((member) => member.healthy && member.id !== id)
  return (seen.cluster?.quorum ?? false) && hasQuorum(voters.length, healthy.length)
}
