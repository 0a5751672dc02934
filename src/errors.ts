/** What every error of Holdfast carries, so that the command line can print it in one form. */
export interface ErrorDetails {
  /** What the user can do next, as a full sentence. */
  remedy?: string
  cause?: unknown
  /** Exit code of the command; see docs/errors.md. */
  exitCode?: number
}

/**
 * An error that tells what happened, where, and what to do next.
 * `code` is stable, in kebab-case, and listed in docs/errors.md.
 */
export class HoldfastError extends Error {
  readonly code: string
  readonly remedy: string | undefined
  readonly exitCode: number

  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super(message, { cause: details.cause })
    this.name = 'HoldfastError'
    this.code = code
    this.remedy = details.remedy
    this.exitCode = details.exitCode ?? 1
  }
}

/** One thing wrong in a user's file or flags. Every problem of a file is reported at once. */
export interface Problem {
  severity: 'error' | 'warning'
  /** Where in the document, for example `groups[2].zones`. */
  path: string
  message: string
  remedy?: string
  /**
   * An error with `update` does not keep a cluster from being declared: its plan carries it, and
   * `update cluster --yes` refuses until it is changed. Without it an error is refused at once.
   */
  blocks?: 'update'
  file?: string
  /** 1-based. */
  line?: number
  /** 1-based. */
  column?: number
}

/** All problems of one input together. Nothing was changed when this is thrown. */
export class InvalidInputError extends HoldfastError {
  readonly problems: Problem[]

  constructor(message: string, problems: Problem[], remedy?: string) {
    super('invalid-input', message, { exitCode: 2, ...(remedy ? { remedy } : {}) })
    this.problems = problems
  }
}

export const isErrno = (error: unknown, ...codes: string[]): boolean =>
  error instanceof Error && 'code' in error && codes.includes(String(error.code))

/** The message of anything that was thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
