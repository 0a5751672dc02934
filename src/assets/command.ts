import type { Result } from 'execa'
import { HoldfastError } from '../errors.ts'

export interface CommandOptions {
  cwd?: string
  /** Replaces the environment's variables of the same name; undefined removes one. */
  env?: NodeJS.ProcessEnv
  /** The command is ended after this long. */
  timeoutMs: number
  /** The kernel ends the program and its children when this process ends, however it ends. */
  dieWithParent?: boolean
  /** It goes on when this process ends: what is worse half done than done. */
  outlives?: boolean
  /** Ends the program and all it started. */
  stop?: AbortSignal | undefined
  /** How long what was asked to end may put its things in order. Default 5,000. */
  killAfterMs?: number
  /** Called with each line of both outputs while it runs. */
  onLine?: (line: string) => void
  /** What to do when it fails, also by what the error says; a full disk has a remedy of its own. */
  remedy?: string | ((message: string) => string)
}

const outputLimitChars = 2000

/** Process groups that end with this process. */
const groups = new Set<number>()
process.on('exit', () => {
  for (const group of groups) signalGroup(group, 'SIGKILL')
})

/**
 * Runs a program of the host and returns its standard output. Its process group is its own: a Ctrl-C
 * of the terminal is for this process, which decides what it means.
 * Throws `asset-command-failed` with the end of what it wrote, `asset-command-missing` where it is not there.
 */
export async function runCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<string> {
  const { execa } = await import('execa')
  options.stop?.throwIfAborted()
  const [file, ...rest] = [...(options.dieWithParent ? boundToParent() : []), program, ...args]
  const child = execa(file ?? program, rest, {
    ...(options.cwd ? { cwd: options.cwd } : {}),
    ...(options.env ? { env: options.env } : {}),
    stdin: 'ignore',
    all: true,
    reject: false,
    detached: true,
    timeout: options.timeoutMs,
    maxBuffer: 20_000_000,
  })
  const ended = watchGroup(child.pid, options)
  try {
    const { onLine } = options
    if (onLine) {
      for await (const line of child.iterable({ from: 'all' })) onLine(String(line))
    }
    return outputOf(await child, program, args, options)
  } finally {
    ended()
  }
}

function outputOf(
  result: Result<{ all: true; reject: false }>,
  program: string,
  args: readonly string[],
  options: CommandOptions,
): string {
  if (!result.failed) return result.stdout
  const written = (result.all ?? '').trim().slice(-outputLimitChars)
  const missing = result.code === 'ENOENT' || result.exitCode === 127
  const ending = result.timedOut
    ? `did not end within ${Math.round(options.timeoutMs / 1000)} s`
    : missing
      ? 'is not installed'
      : `failed (${result.exitCode ?? result.signal ?? result.shortMessage})`
  const message = `${program} ${args[0] ?? ''} ${ending}${written ? `: ${written}` : '.'}`
  const remedy = remedyFor(message, options)
  throw new HoldfastError(missing ? 'asset-command-missing' : 'asset-command-failed', message, {
    cause: result,
    ...(remedy ? { remedy } : {}),
  })
}

function remedyFor(message: string, { remedy }: CommandOptions): string | undefined {
  if (/no space left on device|disk quota exceeded/i.test(message))
    return 'A disk is full: make room at the place that is named above, and run the command again.'
  return typeof remedy === 'function' ? remedy(message) : remedy
}

/** Passes `stop` on to a process group, and its end on to whatever is left of it. */
function watchGroup(group: number | undefined, options: CommandOptions): () => void {
  const { stop, outlives, killAfterMs = 5_000 } = options
  if (group === undefined) return () => {}
  let timer: NodeJS.Timeout | undefined
  const end = () => {
    signalGroup(group, 'SIGTERM')
    timer = setTimeout(() => signalGroup(group, 'SIGKILL'), killAfterMs)
  }
  stop?.addEventListener('abort', end)
  if (!outlives) groups.add(group)
  return () => {
    stop?.removeEventListener('abort', end)
    groups.delete(group)
    if (!timer) return
    clearTimeout(timer)
    signalGroup(group, 'SIGKILL')
  }
}

function signalGroup(group: number, signal: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(-group, signal)
  } catch {
    // All of it has ended.
  }
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
