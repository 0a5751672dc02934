import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdir, readdir, readlink, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { HoldfastError, isErrno } from '../errors.ts'

/**
 * A lock between processes of one host that a killed holder cannot leave behind.
 *
 * The folder holds exactly one file, the token. Its name says who has it: `free`, or
 * `held.PID.START.BOOT.NAMESPACE.NONCE`. Taking, giving back and taking over from a dead holder are all one
 * rename of that very name, so of many who try at once one wins and the others see ENOENT.
 */
export interface ProcessLock {
  /** Runs `action` alone. What a holder that died left half done is the next one's to expect. */
  run<T>(action: () => Promise<T>): Promise<T>
}

/** The tokens that this process has right now: one under its name that it has not is left over, as a dead one's. */
const heldHere = new Set<string>()
const giveBackEveryMs = 1_000
const giveBackTries = 3_600

/** One queue for each folder: within a process nobody needs to poll. */
const queues = new Map<string, Promise<unknown>>()

/** @throws HoldfastError `lock-timeout`, naming the holder, when it is not free within `timeoutMs` (20,000). */
export function processLock(folder: string, options: { timeoutMs?: number } = {}): ProcessLock {
  const timeoutMs = options.timeoutMs ?? 20_000
  const alone = async <T>(action: () => Promise<T>): Promise<T> => {
    const token = await take(folder, timeoutMs)
    try {
      return await action()
    } finally {
      await giveBack(folder, token)
    }
  }
  return {
    run: (action) => {
      const result = (queues.get(folder) ?? Promise.resolve()).then(() => alone(action))
      const settled = result.catch(() => {})
      queues.set(folder, settled)
      settled.then(() => {
        if (queues.get(folder) === settled) queues.delete(folder)
      })
      return result
    },
  }
}

/** A folder that went away with the token in it may come back, and others wait for it while this process lives. */
async function giveBack(folder: string, token: string): Promise<void> {
  try {
    await rename(join(folder, token), join(folder, 'free'))
  } catch (error) {
    void giveBackLater(folder, token)
    throw error
  } finally {
    heldHere.delete(token)
  }
}

async function giveBackLater(folder: string, token: string): Promise<void> {
  for (let tries = 0; tries < giveBackTries; tries++) {
    await sleep(giveBackEveryMs, undefined, { ref: false })
    const now = await currentToken(folder).catch(() => undefined)
    // Somebody else has it by now, or had it.
    if (now !== undefined && now !== token) return
    try {
      return await rename(join(folder, token), join(folder, 'free'))
    } catch {
      // It is still away.
    }
  }
}

async function take(folder: string, timeoutMs: number): Promise<string> {
  const mine = await ownToken()
  const until = performance.now() + timeoutMs
  for (;;) {
    const token = await currentToken(folder)
    if (token === undefined) {
      await createToken(folder)
      continue
    }
    if (token === 'free' || !(await holderIsAlive(folder, token))) {
      heldHere.add(mine)
      try {
        await rename(join(folder, token), join(folder, mine))
        return mine
      } catch (error) {
        heldHere.delete(mine)
        if (isErrno(error, 'ENOENT')) continue
        // On a network disk it may have been carried out all the same.
        void giveBackLater(folder, mine)
        throw error
      }
    }
    if (performance.now() > until) {
      const pid = token.split('.')[1]
      throw new HoldfastError(
        'lock-timeout',
        `process ${pid} has held the lock ${folder} for ${timeoutMs} ms`,
        {
          remedy: `Look what process ${pid} does; the lock is free as soon as it ends.`,
        },
      )
    }
    await sleep(1 + Math.random() * 4)
  }
}

async function currentToken(folder: string): Promise<string | undefined> {
  try {
    const names = await readdir(folder)
    return names.find((name) => name === 'free' || name.startsWith('held.'))
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  }
}

/**
 * A folder with its token inside appears in one rename, which fails when another one is there.
 * An empty folder cannot be the lock: the token never leaves it.
 */
async function createToken(folder: string): Promise<void> {
  const draft = `${folder}.${randomBytes(6).toString('hex')}`
  await mkdir(draft, { mode: 0o700 })
  await writeFile(join(draft, 'free'), '', { mode: 0o600 })
  try {
    await rename(draft, folder)
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    if (!isErrno(error, 'ENOTEMPTY', 'EEXIST')) throw error
  }
}

async function ownToken(): Promise<string> {
  const start = await startTimeOf(process.pid)
  return `held.${process.pid}.${start ?? 0}.${await here()}.${randomBytes(6).toString('hex')}`
}

/** What happens under a lock takes milliseconds; where nothing else can be known, its age tells. */
const foreignHolderMs = 60_000

async function holderIsAlive(folder: string, token: string): Promise<boolean> {
  const [, pid, start, boot, namespace] = token.split('.')
  const [ownBoot, ownNamespace] = (await here()).split('.')
  if (boot !== ownBoot) return false
  if (namespace === ownNamespace) {
    if (Number(pid) === process.pid && start === (await startTimeOf(process.pid))) return heldHere.has(token)
    return start === (await startTimeOf(Number(pid)))
  }
  // In a container, say, whose process numbers mean nothing here.
  const found = await stat(join(folder, token)).catch(() => undefined)
  return found !== undefined && Date.now() - found.ctimeMs < foreignHolderMs
}

let boot: string | undefined
/** This boot of the host: another one counts pids and clock ticks anew. */
export function bootId(): string {
  boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  return boot
}

let known: string | undefined
/** This boot of the host and this process's pid namespace: where a pid means something. */
async function here(): Promise<string> {
  if (known === undefined) {
    const namespace = (await readlink('/proc/self/ns/pid')).replace(/\D/g, '')
    known = `${bootId().replaceAll('-', '')}.${namespace}`
  }
  return known
}

/**
 * Start time in clock ticks since boot, which tells a reused pid from the former process;
 * undefined when it has ended. A zombie has ended, unless some of its threads still run.
 */
export async function startTimeOf(pid: number): Promise<string | undefined> {
  let stat: string
  try {
    // The kernel's own file: nothing to wait for.
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) return undefined
    throw error
  }
  // The command's name is in parentheses and may hold anything: count from the last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ended = fields[0] === 'X' || (fields[0] === 'Z' && Number(fields[17]) <= 1)
  return ended ? undefined : fields[19]
}
