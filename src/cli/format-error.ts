import { HoldfastError, InvalidInputError, messageOf, type Problem } from '../errors.ts'
import type { Colours } from './colours.ts'
import { exitCodes } from './exit-codes.ts'

/** `cluster.yaml:4:7: spec.zones: message` and, below it, the remedy. */
export function formatProblem(problem: Problem, colours: Colours): string {
  const place = problem.file
    ? `${[problem.file, problem.line, problem.column].filter((part) => part !== undefined).join(':')}: `
    : ''
  const path = problem.path ? `${problem.path}: ` : ''
  const mark = problem.severity === 'error' ? colours.red('error') : colours.yellow('warning')
  const remedy = problem.remedy ? `\n      ${colours.dim(problem.remedy)}` : ''
  return `  ${mark} ${place}${path}${problem.message}${remedy}`
}

/** The one form in which every error is shown: what, where, all problems, what next. */
export function formatError(error: unknown, colours: Colours, options: { trace?: boolean } = {}): string {
  const lines = [`${colours.red('Error:')} ${messageOf(error)}`]
  if (error instanceof InvalidInputError) {
    for (const problem of error.problems) lines.push(formatProblem(problem, colours))
  }
  if (error instanceof HoldfastError) {
    if (error.remedy) lines.push(`${colours.bold('→')} ${error.remedy}`)
  } else {
    lines.push(
      `${colours.bold('→')} This is not an error Holdfast expected; HOLDFAST_DEBUG=1 shows where it happened.`,
    )
  }
  if (options.trace && error instanceof Error) lines.push(traceOf(error))
  return `${lines.join('\n')}\n`
}

/** The same for programs: `{code, message, remedy, problems}`. */
export function errorAsData(error: unknown): Record<string, unknown> {
  if (!(error instanceof HoldfastError)) return { code: 'unexpected', message: messageOf(error) }
  return {
    code: error.code,
    message: error.message,
    ...(error.remedy ? { remedy: error.remedy } : {}),
    ...(error instanceof InvalidInputError ? { problems: error.problems } : {}),
  }
}

export function exitCodeOf(error: unknown): number {
  if (!(error instanceof HoldfastError)) return exitCodes.failed
  return error.code === 'store-conflict' ? exitCodes.conflict : error.exitCode
}

function traceOf(error: Error): string {
  const own = error.stack ?? ''
  return error.cause instanceof Error ? `${own}\nCaused by: ${traceOf(error.cause)}` : own
}
