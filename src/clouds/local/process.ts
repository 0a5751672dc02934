import { spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { HoldfastError, isErrno } from '../../errors.ts'
import { bootId, startTimeOf } from '../../store/process-lock.ts'

/** A process that cannot be mistaken for a later one with the same number. */
export interface ProcessIdentity {
  pid: number
  /** Field 22 of /proc/PID/stat: clock ticks since the host's boot. */
  startTime: string
  /** The host's boot: another one counts pids and ticks anew. Records of earlier versions have none, and prove nothing. */
  boot: string
}

/** undefined when there is no such process, or only a zombie of it. */
export async function identityOf(pid: number): Promise<ProcessIdentity | undefined> {
  const startTime = await startTimeOf(pid)
  return startTime === undefined ? undefined : { pid, startTime, boot: bootId() }
}

/** Log files of detached processes are set aside as `.1` when they are longer than this at a start. */
const maxLogBytes = 1024 * 1024

export async function isRunning(identity: ProcessIdentity | undefined): Promise<boolean> {
  if (identity?.boot !== bootId()) return false
  return (await startTimeOf(identity.pid)) === identity.startTime
}

/** The words of a process; empty for the kernel's threads and for processes that just ended. */
export async function commandLine(pid: number): Promise<string[]> {
  const text = await readIfThere(`/proc/${pid}/cmdline`)
  return text === '' ? [] : text.replace(/\0$/, '').split('\0')
}

/**
 * A file of the kernel; empty when what it tells of is gone. Any other failure (no descriptors left,
 * say) proves no end. Such files wait for no disk: read at once they cost a tenth of what they do through threads.
 */
export async function readIfThere(path: string): Promise<string> {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH', 'ENODEV')) return ''
    throw error
  }
}

export async function allPids(): Promise<number[]> {
  return (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
}

/**
 * Starts a process in a session of its own that outlives ours, its output in `logFile`.
 * On hosts with systemd it gets a scope of its own: otherwise it would die with the service or the
 * login session that we run in, and several machines would share one control group.
 */
export async function spawnDetached(options: {
  /** Unit name without `.scope`. */
  name: string
  command: readonly [string, ...string[]]
  logFile: string
  env?: NodeJS.ProcessEnv
}): Promise<ProcessIdentity> {
  const scope = ['systemd-run', '--scope', '--quiet', '--collect', `--unit=${options.name}`]
  const prefix = hostHasSystemd() ? [...scope, '--property=Delegate=yes', '--'] : []
  const [file, ...args] = [...prefix, ...options.command]
  setAsideLongLog(options.logFile)
  const log = openSync(options.logFile, 'a', 0o600)
  try {
    const child = spawn(file ?? '', args, {
      detached: true,
      cwd: '/',
      stdio: ['ignore', log, log],
      env: { PATH: process.env.PATH ?? '', LANG: 'C.UTF-8', ...options.env },
    })
    const failure = new Promise<undefined>((resolve) => child.once('error', () => resolve(undefined)))
    const spawned = new Promise<number | undefined>((resolve) =>
      child.once('spawn', () => resolve(child.pid)),
    )
    const pid = await Promise.race([spawned, failure])
    const started = pid === undefined ? undefined : await identityOf(pid)
    child.unref()
    if (!started) {
      throw new HoldfastError('process-not-started', `${options.command[0]} could not be started`, {
        remedy: `See ${options.logFile}.`,
      })
    }
    return started
  } finally {
    closeSync(log)
  }
}

export const hostHasSystemd = (): boolean => existsSync('/run/systemd/system')

function setAsideLongLog(path: string): void {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  if (size <= maxLogBytes) return
  rmSync(`${path}.1`, { force: true })
  renameSync(path, `${path}.1`)
}

/** Asks again every `everyMs` until `look` gives something; undefined when the time is over. */
export async function waitFor<T>(
  look: () => Promise<T | undefined | false>,
  timeoutMs: number,
  everyMs = 20,
): Promise<T | undefined> {
  const end = performance.now() + timeoutMs
  for (;;) {
    const seen = await look()
    if (seen !== undefined && seen !== false) return seen
    if (performance.now() >= end) return undefined
    await sleep(everyMs)
  }
}

/** SIGKILL, then waits for the real end. Returns false when it still runs after `timeoutMs`. */
export async function killProcess(identity: ProcessIdentity, timeoutMs = 5_000): Promise<boolean> {
  if (await isRunning(identity)) {
    try {
      process.kill(identity.pid, 'SIGKILL')
    } catch {
      // It ended in between.
    }
  }
  return (await waitFor(async () => !(await isRunning(identity)), timeoutMs)) ?? false
}
