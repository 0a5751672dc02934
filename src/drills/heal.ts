import { nowMs, sleep } from './clock.ts'
import { type DrillContext, type DrillMoment, type DrillReport, timingOf } from './drill.ts'
import { look, stopWhenAsked } from './look.ts'
import type { StrengthCondition, StrengthExpectation } from './strength.ts'
import type { Workload } from './workload.ts'

/**
 * Waits for full strength, and notes when each of its conditions was met for good. Running out of
 * time is a result, not an error: `fullStrengthMs` is missing then.
 */
export async function waitForStrength(
  context: DrillContext,
  workload: Workload,
  fault: NonNullable<DrillMoment['fault']>,
  replaced: NonNullable<StrengthExpectation['replaced']>,
  progress: (detail: string) => void,
): Promise<Pick<DrillReport, 'fullStrengthMs' | 'milestones' | 'missing'>> {
  const { fullStrengthTimeoutMs, observeEveryMs } = timingOf(context)
  const deadline = fault.atMs + fullStrengthTimeoutMs
  const metSince = new Map<string, number>()
  let last: string[] = []
  const milestones = (): DrillReport['milestones'] =>
    [...metSince].map(([name, atMs]) => ({ name, afterMs: Math.round(atMs - fault.atMs) }))
  while (nowMs() < deadline) {
    stopWhenAsked(context)
    const { observation, conditions, missing } = await look(
      context,
      workload,
      { phase: 'healing', fault },
      { replaced },
    )
    const seenMs = nowMs()
    for (const condition of conditions) note(metSince, condition, seenMs)
    if (missing.length === 0)
      return { fullStrengthMs: Math.round(seenMs - fault.atMs), milestones: milestones() }
    last = missing
    progress(missing.join('; '))
    await sleep(observation.atMs + observeEveryMs - nowMs(), context.signal)
  }
  return { milestones: milestones(), missing: last }
}

function note(metSince: Map<string, number>, { name, missing }: StrengthCondition, atMs: number): void {
  if (missing) metSince.delete(name)
  else if (!metSince.has(name)) metSince.set(name, atMs)
}
