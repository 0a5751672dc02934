import { execa } from 'execa'
import { HoldfastError } from '../errors.ts'

export interface CommandOptions {
  cwd?: string
  /** Replaces the environment's variables of the same name; undefined removes one. */
  env?: NodeJS.ProcessEnv
  /** The command is ended after this long. */
  timeoutMs: number
  /** Called with each line of both outputs while it runs. */
  onLine?: (line: string) => void
  /** What to do when it fails. */
  remedy?: string
}

const outputLimitChars = 2000

/**
 * Runs a program of the host and returns its standard output.
 * Throws `asset-command-failed` with the end of what it wrote.
 */
export async function runCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<string> {
  const child = execa(program, args, {
    ...(options.cwd ? { cwd: options.cwd } : {}),
    ...(options.env ? { env: options.env } : {}),
    stdin: 'ignore',
    all: true,
    reject: false,
    timeout: options.timeoutMs,
    maxBuffer: 20_000_000,
    // Lines are read as they come, so that a long build can say how far it is.
    ...(options.onLine ? { all: true } : {}),
  })
  const { onLine } = options
  if (onLine) {
    for await (const line of child.iterable({ from: 'all' })) onLine(String(line))
  }
  const result = await child
  if (!result.failed) return result.stdout
  const written = (result.all ?? '').trim().slice(-outputLimitChars)
  const ending = result.timedOut
    ? `did not end within ${Math.round(options.timeoutMs / 1000)} s`
    : result.code === 'ENOENT'
      ? 'is not installed'
      : `failed (${result.exitCode ?? result.signal ?? result.shortMessage})`
  throw new HoldfastError(
    'asset-command-failed',
    `${program} ${args[0] ?? ''} ${ending}${written ? `: ${written}` : '.'}`,
    {
      cause: result,
      ...(options.remedy ? { remedy: options.remedy } : {}),
    },
  )
}
