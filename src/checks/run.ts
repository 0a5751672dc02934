import { setTimeout as sleep } from 'node:timers/promises'
import { HoldfastError, messageOf } from '../errors.ts'
import { asStep, type Report } from '../events.ts'
import type { Check, CheckResult } from './check.ts'
import type { CheckContext } from './context.ts'

const pollMs = 250

/** All checks side by side, once. */
export async function runChecks(checks: readonly Check[], context: CheckContext): Promise<CheckResult[]> {
  context.nextRound()
  return Promise.all(
    checks.map(async (check) => {
      const { name, title } = check
      try {
        return { name, title, ...(await check.run(context)) }
      } catch (error) {
        return { name, title, ok: false, reason: messageOf(error) }
      }
    }),
  )
}

export interface WaitOptions {
  timeoutMs: number
  report: Report
  /** Throw when the time is over, rather than giving the last results. */
  mustPass: boolean
  /** Called between rounds; may throw to end the wait. */
  between?: () => void
}

/**
 * Repeats the checks until all pass or the time is over.
 * @throws HoldfastError `checks-not-passed` with the conditions that are missing and their last reasons.
 */
export async function waitForChecks(
  checks: readonly Check[],
  context: CheckContext,
  options: WaitOptions,
): Promise<CheckResult[]> {
  const deadline = performance.now() + options.timeoutMs
  return asStep(options.report, 'checks', 'Wait until everything works', async (progress) => {
    for (;;) {
      const results = await runChecks(checks, context)
      const missing = results.filter((result) => !result.ok)
      if (missing.length === 0) return results
      const [first] = missing
      if (first)
        progress(`${first.title} (${results.length - missing.length} of ${results.length}): ${first.reason}`)
      options.between?.()
      if (performance.now() + pollMs > deadline) {
        if (!options.mustPass) return results
        throw notPassed(missing, options.timeoutMs)
      }
      await sleep(pollMs)
    }
  })
}

function notPassed(missing: readonly CheckResult[], timeoutMs: number): HoldfastError {
  const lines = missing.map((result) => `  ${result.title}: ${result.reason}`)
  return new HoldfastError(
    'checks-not-passed',
    `After ${Math.round(timeoutMs / 1000)} s this is still not so:\n${lines.join('\n')}`,
    { exitCode: 3, remedy: 'Look at it with `holdfast validate cluster` and `holdfast logs MACHINE`.' },
  )
}
