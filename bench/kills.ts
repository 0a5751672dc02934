import { z } from 'zod'
import type { DrillReport } from '../src/drills/index.ts'
import type { Bench, Figure, Measurement } from './measurement.ts'

/** Kills of a follower and of the leader in turn, seen by the drills' independent client. */
export const kills: Measurement = {
  name: 'kills',
  title: 'A master’s machine killed, its volumes kept',
  run: (bench) => killsInTurn(bench, false),
}

export const killsWithVolumes: Measurement = {
  name: 'kills-with-volumes',
  title: 'A master’s machine killed, its volumes lost',
  run: (bench) => killsInTurn(bench, true),
}

async function killsInTurn(bench: Bench, loseVolumes: boolean): Promise<Figure[]> {
  await bench.ensureCluster()
  const reports: Record<'follower' | 'leader', DrillReport[]> = { follower: [], leader: [] }
  for (let round = 1; round <= bench.rounds; round += 1) {
    for (const which of ['follower', 'leader'] as const) {
      const report = await drill(bench, which, loseVolumes)
      reports[which].push(report)
      bench.say(
        `round ${round}: ${which}: gap ${(report.verdict.longestGapMs / 1000).toFixed(2)} s, ${report.verdict.failed} failed, ` +
          `${report.verdict.lost.length} lost, full strength ${report.fullStrengthMs ? (report.fullStrengthMs / 1000).toFixed(1) : 'not reached'} s`,
      )
      for (const { afterFaultMs, reason } of which === 'follower' ? report.verdict.failures : [])
        bench.say(`  failed ${(afterFaultMs / 1000).toFixed(2)} s after the fault: ${reason}`)
      for (const one of report.missing ?? []) bench.say(`  still missing: ${one}`)
    }
  }
  return figuresOf(reports, loseVolumes)
}

export function figuresOf(
  { follower, leader }: Record<'follower' | 'leader', DrillReport[]>,
  loseVolumes: boolean,
): Figure[] {
  const all = [...follower, ...leader]
  const gaps = (reports: readonly DrillReport[]): number[] =>
    reports.map((r) => r.verdict.longestGapMs / 1000)
  // A cluster that never came back counts as endless, so that no median hides it.
  const strength = all.map((r) => (r.fullStrengthMs ?? Number.POSITIVE_INFINITY) / 1000)
  const within = follower.map(
    ({ verdict: v }) => (100 * v.failedWithinWindow) / Math.max(1, v.sentSinceFault),
  )
  return [
    {
      name: 'acknowledged writes lost',
      unit: '',
      values: all.map((r) => r.verdict.lost.length),
      judged: 'worst',
      atMost: 0,
    },
    {
      name: 'masters that could not be read back',
      unit: '',
      values: all.map((r) => r.verdict.unread.length),
      judged: 'worst',
      atMost: 0,
    },
    {
      name: 'leader: longest gap between writes',
      unit: 's',
      values: gaps(leader),
      judged: 'median',
      atMost: 2,
    },
    { name: 'leader: the same, worst', unit: 's', values: gaps(leader), judged: 'worst', atMost: 3 },
    { name: 'follower: longest gap between writes', unit: 's', values: gaps(follower), judged: 'worst' },
    { name: 'follower: failed within 2 s', unit: '%', values: within, judged: 'worst', atMost: 1 },
    {
      name: 'follower: failed later',
      unit: '',
      values: follower.map((r) => r.verdict.failedAfterWindow),
      judged: 'worst',
      atMost: 0,
    },
    {
      name: 'full strength again',
      unit: 's',
      values: strength,
      judged: 'worst',
      atMost: loseVolumes ? 40 : 30,
    },
  ]
}

/** Only what is read here; the rest of the report goes into results.json as it is. */
const shape = z.looseObject({
  verdict: z.looseObject({
    longestGapMs: z.number(),
    lost: z.array(z.unknown()),
    unread: z.array(z.unknown()),
  }),
  judgement: z.looseObject({ passed: z.boolean() }),
})

async function drill(bench: Bench, which: 'follower' | 'leader', loseVolumes: boolean): Promise<DrillReport> {
  const args = [
    'drill',
    'kill-master',
    bench.cluster,
    `--${which}`,
    ...(loseVolumes ? ['--lose-volumes'] : []),
  ]
  // A drill that did not pass ends with an exit code of its own and its report all the same.
  const run = await bench.holdfast([...args, '--output', 'json'], { mayFail: true, timeoutMs: 300_000 })
  try {
    return shape.parse(JSON.parse(run.stdout)) as unknown as DrillReport
  } catch {
    throw new Error(
      `the drill gave no report (exit code ${run.exitCode}): ${(run.stderr + run.stdout).trim().slice(-800)}`,
    )
  }
}
