import { randomBytes } from 'node:crypto'
import { closeSync, constants, existsSync, openSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import packageJson from '../../../package.json' with { type: 'json' }
import { HoldfastError } from '../../errors.ts'
import type { Home } from '../../home.ts'
import type { DaemonStatus } from './api-operator.ts'
import { CloudUnavailableError, call } from './api-wire.ts'
import { isRunning, type ProcessIdentity, spawnDetached } from './process.ts'
import { localPaths, makePrivateFolder } from './records.ts'

/** Speaks to the home's local cloud and starts it where it does not run. */
export interface DaemonClient {
  ask<T>(method: 'GET' | 'POST', path: string, body?: unknown, answerTimeoutMs?: number): Promise<T>
  /** Who answers now; undefined when nobody does. Starts nothing. */
  status(): Promise<DaemonStatus | undefined>
  /** Ends the process (machines and balancers go on); with `ifEmpty` only when it looks after nothing. */
  stop(options?: { ifEmpty?: boolean }): Promise<void>
}

const startTimeoutMs = 20_000
const stopTimeoutMs = 5_000
/** A step may wait for machines to end; see `daemon-steps.ts`. */
const defaultAnswerTimeoutMs = 60_000
/** unix(7): 108 bytes with the final zero. */
const maxSocketPathBytes = 107

export function daemonClient(home: Home): DaemonClient {
  const paths = localPaths(home)
  let met = false

  async function ask<T>(
    method: 'GET' | 'POST',
    path: string,
    body?: unknown,
    answerTimeoutMs = defaultAnswerTimeoutMs,
  ): Promise<T> {
    const options = { method, path, answerTimeoutMs, ...(body === undefined ? {} : { body }) }
    for (let attempt = 1; ; attempt++) {
      try {
        if (!met) await meet()
        return await overSocket(paths.socket, (socketPath) => call<T>({ ...options, socketPath }))
      } catch (error) {
        // It was killed in between. Every call can be repeated, also one that was carried out: steps are
        // idempotent, a reboot bears a name.
        if (!(error instanceof CloudUnavailableError) || error.late || attempt === 3) throw error
        met = false
      }
    }
  }

  async function status(): Promise<DaemonStatus | undefined> {
    try {
      return await overSocket(paths.socket, (socketPath) =>
        call<DaemonStatus>({ socketPath, method: 'GET', path: '/status' }),
      )
    } catch (error) {
      if (error instanceof CloudUnavailableError) return undefined
      throw error
    }
  }

  async function meet(): Promise<void> {
    const found = await status()
    // An older version's process gives way: whatever it looks after is adopted by ours.
    if (found && found.version !== packageJson.version) await stop()
    if (found?.version !== packageJson.version) await start()
    met = true
  }

  async function start(): Promise<void> {
    const until = performance.now() + startTimeoutMs
    let daemon = await spawnDaemon(home)
    for (;;) {
      if (existsSync(paths.socket) && (await status())) return
      if (!(await isRunning(daemon))) {
        // Another one may hold the place while it ends, or be starting, started by somebody else.
        await sleep(100)
        if (!(await status())) daemon = await spawnDaemon(home)
      }
      if (performance.now() > until) {
        throw new HoldfastError(
          'local-cloud-not-started',
          `The local cloud did not start within ${startTimeoutMs / 1000} s`,
          {
            remedy: `See ${paths.log}.`,
          },
        )
      }
      await sleep(20)
    }
  }

  async function stop(options: { ifEmpty?: boolean } = {}): Promise<void> {
    const found = await status()
    if (!found) return
    const body = { ifEmpty: options.ifEmpty ?? false }
    const { stops } = await overSocket(paths.socket, (socketPath) =>
      call<{ stops: boolean }>({ socketPath, method: 'POST', path: '/stop', body }),
    )
    met = false
    const until = performance.now() + stopTimeoutMs
    while (stops && existsSync(`/proc/${found.pid}`)) {
      if (performance.now() > until) {
        throw new HoldfastError(
          'local-cloud-not-stopped',
          `Process ${found.pid} of the local cloud does not end`,
          {
            remedy: `End it by hand: kill -9 ${found.pid}. Machines go on.`,
          },
        )
      }
      await sleep(10)
    }
  }

  return { ask, status, stop }
}

/** Its last words, if it crashes, go to its log. */
async function spawnDaemon(home: Home): Promise<ProcessIdentity> {
  const paths = localPaths(home)
  await makePrivateFolder(paths.root)
  return spawnDetached({
    // A scope of a process that is just ending still has its name.
    name: `${home.prefix}-cloud-${randomBytes(4).toString('hex')}`,
    command: [process.execPath, join(import.meta.dirname, 'main.ts')],
    logFile: paths.log,
    env: { ...process.env, HOLDFAST_HOME: home.dir, HOLDFAST_CACHE: home.cache },
  })
}

/** Reaches a socket whose path is too long for the kernel through its folder's descriptor. */
async function overSocket<T>(path: string, action: (socketPath: string) => Promise<T>): Promise<T> {
  if (Buffer.byteLength(path) <= maxSocketPathBytes || !existsSync(dirname(path))) return await action(path)
  const folder = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    return await action(`/proc/self/fd/${folder}/cloud.sock`)
  } finally {
    closeSync(folder)
  }
}
