import { HoldfastError } from '../errors.ts'

export interface CommandOptions {
  cwd?: string
  /** Replaces the environment's variables of the same name; undefined removes one. */
  env?: NodeJS.ProcessEnv
  /** The command is ended after this long. */
  timeoutMs: number
  /** The kernel ends the program and its children when this process ends, however it ends. */
  dieWithParent?: boolean
  /** Called with each line of both outputs while it runs. */
  onLine?: (line: string) => void
  /** What to do when it fails. */
  remedy?: string
}

const outputLimitChars = 2000

/**
 * Runs a program of the host and returns its standard output.
 * Throws `asset-command-failed` with the end of what it wrote, `asset-command-missing` where it is not there.
 */
export async function runCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<string> {
  const { execa } = await import('execa')
  const [file, ...rest] = [...(options.dieWithParent ? boundToParent() : []), program, ...args]
  const child = execa(file ?? program, rest, {
    ...(options.cwd ? { cwd: options.cwd } : {}),
    ...(options.env ? { env: options.env } : {}),
    stdin: 'ignore',
    all: true,
    reject: false,
    timeout: options.timeoutMs,
    maxBuffer: 20_000_000,
  })
  const { onLine } = options
  if (onLine) {
    for await (const line of child.iterable({ from: 'all' })) onLine(String(line))
  }
  const result = await child
  if (!result.failed) return result.stdout
  const written = (result.all ?? '').trim().slice(-outputLimitChars)
  const missing = result.code === 'ENOENT' || result.exitCode === 127
  const ending = result.timedOut
    ? `did not end within ${Math.round(options.timeoutMs / 1000)} s`
    : missing
      ? 'is not installed'
      : `failed (${result.exitCode ?? result.signal ?? result.shortMessage})`
  throw new HoldfastError(
    missing ? 'asset-command-missing' : 'asset-command-failed',
    `${program} ${args[0] ?? ''} ${ending}${written ? `: ${written}` : '.'}`,
    { cause: result, ...(options.remedy ? { remedy: options.remedy } : {}) },
  )
}

/**
 * For root a namespace of its own takes grandchildren and mounts with it; a signal alone would
 * leave those behind.
 */
function boundToParent(): string[] {
  const signal = ['setpriv', '--pdeathsig', 'KILL']
  if (process.getuid?.() !== 0) return signal
  return [...signal, 'unshare', '--pid', '--fork', '--kill-child', '--mount-proc', '--mount']
}
