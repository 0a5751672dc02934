/** One line of the table: what was measured, every value, and the bound that must hold. */
export interface Figure {
  name: string
  unit: 's' | 'MB' | '%' | 'times' | ''
  values: number[]
  /** Which of the values is judged. */
  judged: 'median' | 'worst'
  /** Without one it is shown for comparison only. */
  atMost?: number
}

export interface Measurement {
  readonly name: string
  readonly title: string
  run(bench: Bench): Promise<Figure[]>
}

/** What every measurement works with. */
export interface Bench {
  /** How many values make a median. */
  rounds: number
  /** A folder of the bench's own: never the user's home. */
  folder: string
  cluster: string
  /** For how long the agent is watched; seconds. */
  idleSeconds: number
  say(text: string): void
  /** Runs the product by its start script, under the bench's own home. */
  holdfast(args: readonly string[], options?: { timeoutMs?: number; mayFail?: boolean }): Promise<CommandRun>
  /** Brings the bench's cluster up where it is not; most measurements share one. */
  ensureCluster(): Promise<void>
  deleteCluster(): Promise<void>
}

export interface CommandRun {
  stdout: string
  stderr: string
  exitCode: number
  seconds: number
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2
}

/** NaN (nothing was measured) never holds a bound. */
export const judgedValue = ({ values, judged }: Figure): number =>
  judged === 'median' ? median(values) : values.length > 0 ? Math.max(...values) : Number.NaN

export const holds = (figure: Figure): boolean =>
  figure.atMost === undefined || judgedValue(figure) <= figure.atMost
