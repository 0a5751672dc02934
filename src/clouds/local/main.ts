import { appendFileSync, existsSync, renameSync, rmdirSync, rmSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import packageJson from '../../../package.json' with { type: 'json' }
import { HoldfastError, messageOf } from '../../errors.ts'
import type { ProgressEvent } from '../../events.ts'
import { type Home, homeFolders, resolveHome } from '../../home.ts'
import { openStore } from '../../store/open.ts'
import { operatorApi } from './api-operator.ts'
import { serveSocket } from './api-server.ts'
import { createDaemon } from './daemon.ts'
import { hostActions } from './daemon-host.ts'
import { withHostLock } from './process-lock.ts'
import { localPaths } from './records.ts'

/**
 * The local cloud's process, one for each home: `node main.ts` with HOLDFAST_HOME set. The client
 * starts it when nothing answers; it ends by itself a minute after the last cluster is gone.
 * It may be killed at any moment: the next one takes over from the records and the kernel.
 */
const idleMs = 60_000
const maxLogBytes = 1024 * 1024

async function main(home: Home): Promise<void> {
  try {
    // The kernel gives the lock up when its holder dies, so that none is ever stale.
    await withHostLock(`${home.prefix}-cloud`, async () => run(home), 0)
  } catch (error) {
    // Another one was quicker: whoever started us finds that one.
    if (error instanceof HoldfastError && error.code === 'host-lock-busy') return
    throw error
  }
}

async function run(home: Home): Promise<void> {
  const paths = localPaths(home)
  // Whoever started us made it: another process was quicker, and has ended and cleaned up since.
  if (!existsSync(paths.root)) return
  const log = boundedLog(paths.log)
  log(`local cloud of ${home.dir} starts, process ${process.pid}`)
  process.on('uncaughtException', (error) => {
    log(`ends because of ${error.stack ?? messageOf(error)}`)
    process.exit(1)
  })
  process.on('unhandledRejection', (error) => {
    log(`ends because of ${error instanceof Error ? error.stack : messageOf(error)}`)
    process.exit(1)
  })
  const report = (event: ProgressEvent) => {
    if (event.type === 'note' || event.type === 'warning') log(`${event.type}: ${event.message}`)
  }
  const daemon = createDaemon({ home, actions: hostActions, openStore, report })
  let lastUse = performance.now()
  let steps = 0
  await new Promise<never>((_, reject) => {
    const end = async (reason: string) => {
      log(`ends: ${reason}`)
      await api.then((socket) => socket.close())
      await daemon.stop()
      if (daemon.clusters().length === 0) leaveNothing(paths)
      process.exit(0)
    }
    const handler = operatorApi({
      daemon,
      version: packageJson.version,
      used: () => {
        lastUse = performance.now()
      },
      stop: ({ ifEmpty }) => {
        const stops = !ifEmpty || (daemon.clusters().length === 0 && steps === 0)
        if (stops) setTimeout(() => void end('asked to stop'), 20)
        return stops
      },
    })
    const counted: typeof handler = async (request) => {
      const isStep = request.parts[2] === 'steps'
      if (isStep) steps++
      try {
        return await handler(request)
      } finally {
        if (isStep) steps--
        lastUse = performance.now()
      }
    }
    // Whoever connects is answered only by a daemon that has adopted everything.
    const api = daemon.start().then(() => serveSocket(paths.root, paths.socketName, counted))
    api.catch(reject)
    process.on('SIGTERM', () => void end('SIGTERM'))
    process.on('SIGINT', () => void end('SIGINT'))
    setInterval(() => {
      if (daemon.clusters().length > 0 || steps > 0) lastUse = performance.now()
      else if (performance.now() - lastUse > idleMs) void end('nothing to look after')
    }, 5_000)
  })
}

/** Everything that this process made outside the clusters' folders; not recursive, so nobody else's. */
function leaveNothing(paths: ReturnType<typeof localPaths>): void {
  for (const file of [paths.log, `${paths.log}.1`]) rmSync(file, { force: true })
  for (const folder of [paths.clusters, paths.root]) {
    try {
      rmdirSync(folder)
    } catch {
      // Somebody else's file is in it.
    }
  }
}

/** One file and its predecessor, together at most twice `maxLogBytes`. What cannot be written is left out. */
function boundedLog(path: string): (line: string) => void {
  let written = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  return (line) => {
    const text = `${new Date().toISOString()} ${line}\n`
    try {
      if (written > maxLogBytes) {
        written = 0
        renameSync(path, `${path}.1`)
      }
      appendFileSync(path, text, { mode: 0o600 })
      written += Buffer.byteLength(text)
    } catch {
      // The disk is full, say: clusters are looked after all the same.
    }
  }
}

// Nobody is served from a home that has been removed.
if (existsSync(homeFolders(process.env, homedir).home)) await main(resolveHome())
