import { HoldfastError } from '../errors.ts'
import { nowMs, sleep } from './clock.ts'
import { type DrillContext, type DrillMoment, timingOf } from './drill.ts'
import type { Observation } from './observation.ts'
import { type StrengthCondition, type StrengthExpectation, strengthConditions } from './strength.ts'
import type { Workload } from './workload.ts'

export interface Look {
  observation: Observation
  conditions: StrengthCondition[]
  missing: string[]
}

/** Looks once, tells whoever watches, and gives what was seen. */
export async function look(
  context: DrillContext,
  workload: Workload,
  moment: Pick<DrillMoment, 'phase' | 'fault' | 'lost'>,
  expected: Omit<StrengthExpectation, 'masters'> = {},
): Promise<Look> {
  const observation = await context.observer.observe()
  const conditions = strengthConditions(observation, { masters: wantedMasters(observation), ...expected })
  const missing = conditions.flatMap(({ name, missing }) => (missing ? [`${name}: ${missing}`] : []))
  context.watch?.({ ...moment, observation, workload: workload.snapshot(), missing })
  return { observation, conditions, missing }
}

/** How many masters the groups are meant to have. */
export const wantedMasters = ({ inventory }: Observation): number =>
  inventory.groups.filter((group) => group.role === 'master').reduce((sum, group) => sum + group.size, 0)

/**
 * Waits until enough writes in a row succeeded.
 * @throws HoldfastError `drill-not-steady`.
 */
export async function untilSteady(context: DrillContext, workload: Workload): Promise<void> {
  const { steadyTimeoutMs, steadyWrites, observeEveryMs } = timingOf(context)
  const deadline = nowMs() + steadyTimeoutMs
  while (nowMs() < deadline) {
    const { observation } = await look(context, workload, { phase: 'warming up' })
    if (workload.snapshot().inARow >= steadyWrites) return
    stopWhenAsked(context)
    await sleep(observation.atMs + observeEveryMs - nowMs(), context.signal)
  }
  const { records } = workload.snapshot()
  const reason = records.findLast((record) => record.error)?.error ?? 'too few answers'
  throw new HoldfastError('drill-not-steady', `Writes do not succeed steadily before the fault: ${reason}`, {
    remedy: `Look at the cluster with \`holdfast validate cluster ${context.cluster}\`.`,
  })
}

/** Goes on looking for a while. */
export async function lookOn(
  context: DrillContext,
  workload: Workload,
  moment: Pick<DrillMoment, 'phase' | 'fault'>,
  durationMs: number,
): Promise<void> {
  const { observeEveryMs } = timingOf(context)
  const deadline = nowMs() + durationMs
  while (nowMs() < deadline) {
    stopWhenAsked(context)
    const { observation } = await look(context, workload, moment)
    await sleep(Math.min(observation.atMs + observeEveryMs, deadline) - nowMs(), context.signal)
  }
}

/** @throws HoldfastError `drill-stopped` once the caller's signal is aborted. */
export function stopWhenAsked(context: DrillContext): void {
  if (!context.signal?.aborted) return
  throw new HoldfastError(
    'drill-stopped',
    'The drill was stopped before its end; the cluster heals by itself',
    {
      remedy: `Watch it with \`holdfast validate cluster ${context.cluster} --wait 5m\`.`,
      exitCode: 130,
    },
  )
}
