import { setTimeout as sleep } from 'node:timers/promises'
import { HoldfastError, messageOf } from '../errors.ts'
import { asStep, type Report } from '../events.ts'
import type { Check, CheckResult } from './check.ts'
import type { CheckContext } from './context.ts'

const pollMs = 500
const longestReason = 160

/** All checks side by side, once. */
export async function runChecks(checks: readonly Check[], context: CheckContext): Promise<CheckResult[]> {
  context.nextRound()
  return Promise.all(checks.map((check) => runCheck(check, context)))
}

async function runCheck(check: Check, context: CheckContext): Promise<CheckResult> {
  const { name, title } = check
  try {
    return { name, title, ...(await check.run(context)) }
  } catch (error) {
    return { name, title, ok: false, reason: messageOf(error) }
  }
}

export interface WaitOptions {
  timeoutMs: number
  report: Report
  /** Throw when the time is over, rather than giving the last results. */
  mustPass: boolean
  /** Called between rounds; may throw to end the wait. */
  between?: () => Promise<void>
}

/**
 * Repeats the checks until all pass in one round or the time is over. They come true in their order, and a
 * machine that is busy starting has no time for questions: only the first that does not pass is asked
 * again, until none is left; then all of them.
 * @throws HoldfastError `checks-not-passed` with the conditions that are missing and their last reasons.
 */
export async function waitForChecks(
  checks: readonly Check[],
  context: CheckContext,
  options: WaitOptions,
): Promise<CheckResult[]> {
  const deadline = performance.now() + options.timeoutMs
  return asStep(options.report, 'checks', 'Wait until everything works', async (progress) => {
    let from = 0
    for (;;) {
      context.nextRound()
      const missing = await firstMissing(checks.slice(from), context)
      if (missing) {
        from = checks.findIndex(({ name }) => name === missing.name)
        progress(`${missing.title} (${from} of ${checks.length}): ${inOneLine(missing.reason)}`)
      }
      await options.between?.()
      const isOver = performance.now() + pollMs > deadline
      if (!missing || isOver) {
        const results = await runChecks(checks, context)
        const left = results.filter((result) => !result.ok)
        if (left.length === 0) return results
        if (isOver && !options.mustPass) return results
        if (isOver) throw notPassed(left, options.timeoutMs)
        from = 0
      }
      await sleep(pollMs)
    }
  })
}

async function firstMissing(
  checks: readonly Check[],
  context: CheckContext,
): Promise<CheckResult | undefined> {
  for (const check of checks) {
    const result = await runCheck(check, context)
    if (!result.ok) return result
  }
  return undefined
}

/** Some reasons are pages long: a progress line has room for their beginning. */
function inOneLine(reason: string): string {
  const [first = ''] = reason.split('\n')
  return first.length > longestReason ? `${first.slice(0, longestReason)}…` : first
}

function notPassed(missing: readonly CheckResult[], timeoutMs: number): HoldfastError {
  const lines = missing.map((result) => `  ${result.title}: ${result.reason}`)
  return new HoldfastError(
    'checks-not-passed',
    `After ${Math.round(timeoutMs / 1000)} s this is still not so:\n${lines.join('\n')}`,
    { exitCode: 3, remedy: 'Look at it with `holdfast validate cluster` and `holdfast logs MACHINE`.' },
  )
}
