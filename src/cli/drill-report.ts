import type { DrillReport } from '../drills/index.ts'
import type { Colours } from './colours.ts'

/** Milliseconds, as people read them. */
export const seconds = (ms: number | undefined): string =>
  ms === undefined ? 'not reached' : `${(ms / 1000).toFixed(2)} s`

/** What a drill found, in a few lines. */
export function drillReportLines(report: DrillReport, colours: Colours): string[] {
  const { verdict, judgement } = report
  const word = judgement.passed ? colours.green('passed') : colours.red('failed')
  const leader = report.machine === report.leaderBefore ? 'it led etcd main' : 'a follower'
  return [
    `${colours.bold(`Killed ${report.machine}`)} in zone ${report.zone} (${leader}): ${word}`,
    `  requests        ${verdict.sent} sent, ${verdict.failed} failed`,
    `  longest gap     ${seconds(verdict.longestGapMs)} between successful writes`,
    `  writes lost     ${verdict.lost.length} of ${verdict.acknowledged} acknowledged`,
    `  full strength   ${seconds(report.fullStrengthMs)} after the kill`,
    ...(report.missing ?? []).map((one) => `  ${colours.red('✗')} still missing at the end: ${one}`),
    ...judgement.reasons.map((reason) => `  ${colours.red('✗')} ${reason}`),
  ]
}
