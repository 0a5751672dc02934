import type { MemberObservation } from './observation.ts'

/** How far a member has come, by its own process; told without consensus. */
export interface Progress {
  /** Entries of the log that it has applied. */
  applied: number
  /** It receives a snapshot, takes it over, or defragments: nothing is applied meanwhile, for minutes maybe. */
  busy: boolean
}

/** What is kept of a member from one look to the next. */
export interface Stall {
  /** Since it served last. */
  restarts: number
  /** Since when it has come no nearer, how far it was then, and how far the others were when that began. */
  still?: { sinceMs: number; applied: number | undefined; othersThen: number }
}

export interface StallLook {
  healthy: boolean
  quorum: boolean
  /** How far the furthest member has come. */
  others: number
  /** Undefined while the member loads its data, or hangs. */
  progress: Progress | undefined
  nowMs: number
}

/** Entries of the log behind the others: less than this a member takes in at once. */
const far = 1_000

/** One look at a member that runs as a pod. Not `stalled` is one that serves, is on its way, or has nobody to follow. */
export function lookAtStall(
  { restarts, still: before }: Stall,
  { healthy, quorum, others, progress, nowMs }: StallLook,
): { stall: Stall; stalled?: NonNullable<MemberObservation['stalled']> } {
  if (healthy) return { stall: { restarts: 0 } }
  if (!quorum || progress?.busy) return { stall: { restarts } }
  const applied = progress?.applied
  const began = { sinceMs: nowMs, applied, othersThen: others }
  const saysAnother = (before?.applied === undefined) !== (applied === undefined)
  // One that keeps up with the others and yet serves nothing is not on its way any more.
  const comes = applied !== undefined && applied !== before?.applied && others - applied > far
  const still = !before || comes || saysAnother ? began : { ...before, applied }
  // What a restarted member applies again is its own log: only what was written since proves that it hears.
  const follows = applied !== undefined && applied > still.othersThen
  return {
    stall: { restarts, still },
    stalled: { ms: nowMs - still.sinceMs, restarts, silent: progress === undefined, follows },
  }
}

/** Its process was just ended; it gets more time than before. */
export const restarted = ({ restarts }: Stall): Stall => ({ restarts: restarts + 1 })
