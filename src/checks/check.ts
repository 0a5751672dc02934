import type { CheckContext } from './context.ts'

/** One named condition of a working cluster. */
export interface Check {
  /** Stable, in kebab-case. */
  name: string
  /** For people. */
  title: string
  /** Never throws for a cluster that does not answer: that is a reason. */
  run(context: CheckContext): Promise<CheckOutcome>
}

export interface CheckOutcome {
  ok: boolean
  /** What is there when it is well, what is missing when it is not. */
  reason: string
}

export interface CheckResult extends CheckOutcome {
  name: string
  title: string
}

export const passed = (reason: string): CheckOutcome => ({ ok: true, reason })
export const failed = (reason: string): CheckOutcome => ({ ok: false, reason })

/** Well when nothing is missing. */
export const outcome = (missing: readonly string[], well: string): CheckOutcome =>
  missing.length > 0 ? failed(missing.join('; ')) : passed(well)
