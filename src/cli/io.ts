import { spawn, spawnSync } from 'node:child_process'
import { constants, homedir } from 'node:os'
import { HoldfastError, isErrno } from '../errors.ts'
import type { Probes } from '../operations/operation.ts'
import { isUnderSudo } from '../permission.ts'

/**
 * What the command line sees of the world. The real one is `processIo`; tests give their own, so
 * that every verb can be run in-process.
 */
export interface Io {
  /** Standard output: what the user asked for. */
  out(text: string): void
  /** Standard error: progress, notes, errors. */
  err(text: string): void
  /** Whether standard error is a terminal that can redraw lines. */
  terminal: boolean
  columns: number
  env: NodeJS.ProcessEnv
  cwd: string
  /** Numeric user id; 0 is root. */
  uid: number
  /** The caller's own home folder, also under sudo. @throws HoldfastError `caller-unknown`. */
  userHome(): string
  /** Under sudo: who called, so that the caller's files stay the caller's. */
  caller?: { uid: number; gid: number } | undefined
  /** Runs a program on the user's terminal and gives its exit code. */
  attach(command: readonly [string, ...string[]], env?: NodeJS.ProcessEnv): Promise<number>
  /** Calls back on each Ctrl-C until the returned function is called. */
  onInterrupt(callback: () => void): () => void
  /** Ends the process at once. */
  exit(code: number): never
  /** What is found out about this machine; tests give their own. */
  probes?: Probes
}

/** How long the host's directory of users may take. */
const lookupTimeoutMs = 3_000

/** @returns the caller under sudo, as sudo says; undefined without it. A group that it leaves out stays as it is. */
export const sudoCaller = (env: NodeJS.ProcessEnv, uid: number): Io['caller'] =>
  isUnderSudo(env, uid)
    ? { uid: Number(env['SUDO_UID']), gid: Number(env['SUDO_GID'] || unchanged) }
    : undefined

/** For chown(2). */
const unchanged = -1

/**
 * The home of sudo's caller, from wherever this host has its users: they may be in a directory. In root's home nobody would
 * look for anything.
 * @throws HoldfastError `caller-unknown`.
 */
export function callersHome(env: NodeJS.ProcessEnv, timeoutMs = lookupTimeoutMs): string {
  const words = ['passwd', env['SUDO_UID'] ?? '']
  const { stdout, status, error } = spawnSync('getent', words, {
    env,
    encoding: 'utf8',
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  })
  const home = stdout?.trim().split(':')[5]
  if (home) return home
  const notThere = 2
  if (status === 0 || status === notThere)
    throw callerUnknown(words, 'who has no home that this host knows of')
  const late = isErrno(error, 'ETIMEDOUT') && `did not answer within ${timeoutMs / 1000} s`
  const why = late || (error ? `could not be run: ${error.message}` : `failed (${status})`)
  throw callerUnknown(words, `whose home is not known: \`getent ${words.join(' ')}\` ${why}`)
}

const callerUnknown = (words: readonly string[], why: string) =>
  new HoldfastError('caller-unknown', `sudo was called by user ${words.at(-1)}, ${why}`, {
    remedy: `See what \`getent ${words.join(' ')}\` says, or name HOLDFAST_HOME, HOLDFAST_CACHE and KUBECONFIG. To use root's home, unset SUDO_UID.`,
    exitCode: 2,
  })

export function processIo(): Io {
  const uid = process.getuid?.() ?? -1
  const caller = sudoCaller(process.env, uid)
  let userHome: string | undefined
  // `holdfast get … | head` closes the pipe early: that is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    terminal: process.stderr.isTTY === true && process.env['TERM'] !== 'dumb',
    columns: process.stderr.columns ?? 100,
    env: process.env,
    cwd: process.cwd(),
    uid,
    userHome() {
      userHome ??= caller ? callersHome(process.env) : homedir()
      return userHome
    },
    caller,
    attach,
    onInterrupt(callback) {
      process.on('SIGINT', callback)
      process.on('SIGTERM', callback)
      return () => {
        process.off('SIGINT', callback)
        process.off('SIGTERM', callback)
      }
    },
    exit: (code) => process.exit(code),
  }
}

function attach(
  command: readonly [string, ...string[]],
  env: NodeJS.ProcessEnv = process.env,
): Promise<number> {
  const [file, ...args] = command
  const child = spawn(file, args, { stdio: 'inherit', env })
  const pass = (signal: NodeJS.Signals) => {
    // A terminal has told the program in front already, which decides what Ctrl-C means.
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const signal of signals) process.on(signal, pass)
  return new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)))
  }).finally(() => {
    for (const signal of signals) process.off(signal, pass)
  })
}
