import { execFileSync, spawn } from 'node:child_process'
import { constants, homedir } from 'node:os'
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
  /** The caller's own home folder, also under sudo. */
  userHome: string
  /** Under sudo: who called, so that the caller's files stay the caller's. */
  caller?: { uid: number; gid: number }
  /** Runs a program on the user's terminal and gives its exit code. */
  attach(command: readonly [string, ...string[]], env?: NodeJS.ProcessEnv): Promise<number>
  /** Calls back on each Ctrl-C until the returned function is called. */
  onInterrupt(callback: () => void): () => void
  /** Ends the process at once. */
  exit(code: number): never
  /** What is found out about this machine; tests give their own. */
  probes?: Probes
}

/** @returns the caller under sudo; undefined without sudo, and where nobody knows that user. */
export function sudoCaller(env: NodeJS.ProcessEnv, uid: number) {
  if (!isUnderSudo(env, uid)) return undefined
  const [, , id, gid, , home] = userEntry(env).split(':')
  if (!home) return undefined
  return { uid: Number(id), gid: Number(env['SUDO_GID'] ?? gid), home }
}

/** The caller's line as in /etc/passwd, from wherever this host has its users: they may be in a directory. */
function userEntry(env: NodeJS.ProcessEnv): string {
  try {
    const words = ['passwd', env['SUDO_UID'] ?? '']
    return execFileSync('getent', words, { env, encoding: 'utf8', stdio: 'pipe', timeout: 30_000 }).trim()
  } catch {
    return ''
  }
}

export function processIo(): Io {
  const uid = process.getuid?.() ?? -1
  const caller = sudoCaller(process.env, uid)
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
    userHome: caller?.home ?? homedir(),
    ...(caller ? { caller: { uid: caller.uid, gid: caller.gid } } : {}),
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
