import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { HoldfastError } from '../errors.ts'
import { makeFolder } from '../folders.ts'

export interface LockOptions {
  /** Called about once a second while another process holds the lock, with its process id. */
  onWait?: (holder: number | undefined) => void
  /** Longest wait for the other process. */
  timeoutMs?: number
  pollMs?: number
}

/**
 * Runs `action` while this process alone holds the lock on `file`. The kernel keeps the lock
 * (flock, held by a child that ends with this process's end of a pipe), so a killed holder never
 * leaves a stale one. Throws `asset-lock-timeout` naming the holder.
 */
export async function withLock<T>(file: string, options: LockOptions, action: () => Promise<T>): Promise<T> {
  const { timeoutMs = 3_600_000, pollMs = 250 } = options
  makeFolder(dirname(file))
  const deadline = performance.now() + timeoutMs
  let release = await tryLock(file)
  for (let round = 0; !release; round++) {
    const holder = await readHolder(file)
    if (round % Math.ceil(1000 / pollMs) === 0) options.onWait?.(holder)
    if (performance.now() >= deadline) {
      throw new HoldfastError(
        'asset-lock-timeout',
        `Process ${holder ?? 'unknown'} has held ${file} for too long.`,
        { remedy: `Look at what process ${holder ?? 'that'} does, end it, and run the command again.` },
      )
    }
    await sleep(pollMs)
    release = await tryLock(file)
  }
  try {
    await writeFile(file, `${process.pid}\n`)
    return await action()
  } finally {
    await release()
  }
}

async function tryLock(file: string): Promise<(() => Promise<void>) | undefined> {
  const child = spawn('flock', ['--exclusive', '--nonblock', file, 'sh', '-c', 'echo held; exec cat'], {
    stdio: ['pipe', 'pipe', 'ignore'],
    // A Ctrl-C of the terminal must not free the lock before this process is done.
    detached: true,
  })
  const ended = once(child, 'exit')
  const held = await Promise.race([once(child.stdout, 'data').then(() => true), ended.then(() => false)])
  if (!held) return undefined
  return async () => {
    child.stdin.end()
    await ended
  }
}

async function readHolder(file: string): Promise<number | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '')
  const pid = Number.parseInt(text, 10)
  return Number.isNaN(pid) ? undefined : pid
}
