import { randomUUID } from 'node:crypto'
import { HoldfastError } from '../errors.ts'
import type { StateStore } from './store.ts'
import { StoreConflictError, StoreUnavailableError } from './store.ts'

/** What a lock's key holds. Times are milliseconds since 1970. */
export interface LockRecord {
  holder: string
  nonce: string
  /** Fencing: grows with every new holder, never goes back. */
  epoch: number
  acquiredAtMs: number
  expiresAtMs: number
}

export interface HeldLock {
  readonly nonce: string
  readonly epoch: number
  /** Prolongs by `ttlMs` from now. @throws StoreConflictError when it was lost. */
  renew(): Promise<void>
  /** Gives it back; a lock that somebody else has by now is left alone. */
  release(): Promise<void>
  /** Deletes its record, for good; a lock that somebody else has by now is left alone. */
  remove(): Promise<void>
  /** Reads the store: true only if this very hold is recorded and not expired. Ask before each act. */
  stillHeld(): Promise<boolean>
}

/** `expiresAtMs` of a hold that was released. */
const givenBack = 0

export type LockOutcome = { acquired: true; lock: HeldLock } | { acquired: false; heldBy: LockRecord }

/**
 * Coordination in the store: at most one unexpired holder, by compare-and-swap. A hold ends by
 * release or when its time is over (machines' clocks must agree within a fraction of `ttlMs`).
 * Whoever does under it what two must not do asks `stillHeld` right before, and passes `epoch` on where it is checked.
 *
 * @param options.mayTake asked about a holder whose time is over and who did not give the lock back.
 * @throws StoreUnavailableError when it is unknown whether the lock was taken; it then expires by itself.
 */
export async function acquireLock(
  store: StateStore,
  key: string,
  options: {
    holder: string
    ttlMs: number
    nowMs?: () => number
    mayTake?: (record: LockRecord) => Promise<boolean>
  },
): Promise<LockOutcome> {
  const nowMs = options.nowMs ?? Date.now
  const found = await readLock(store, key)
  const now = nowMs()
  if (found && found.record.expiresAtMs > now) return { acquired: false, heldBy: found.record }
  if (found && found.record.expiresAtMs !== givenBack && (await options.mayTake?.(found.record)) === false) {
    return { acquired: false, heldBy: found.record }
  }

  const record: LockRecord = {
    holder: options.holder,
    nonce: randomUUID(),
    epoch: (found?.record.epoch ?? 0) + 1,
    acquiredAtMs: now,
    expiresAtMs: now + options.ttlMs,
  }
  try {
    await store.put(key, JSON.stringify(record), found ? { ifRevision: found.revision } : { ifAbsent: true })
  } catch (error) {
    // Neither won nor lost when the write timed out: the nonce that is there now tells.
    const winner = await readLock(store, key)
    if (winner?.record.nonce !== record.nonce) {
      if (error instanceof StoreConflictError && winner) return { acquired: false, heldBy: winner.record }
      throw error
    }
  }
  return { acquired: true, lock: heldLock(store, key, record, options.ttlMs, nowMs) }
}

function heldLock(
  store: StateStore,
  key: string,
  record: LockRecord,
  ttlMs: number,
  nowMs: () => number,
): HeldLock {
  const mine = async () => {
    const found = await readLock(store, key)
    return found?.record.nonce === record.nonce && found.record.expiresAtMs > nowMs() ? found : undefined
  }
  const change = async (expiresAtMs: number) => {
    const found = await mine()
    if (!found) throw new StoreConflictError(key, `the lock ${key} is no longer held by ${record.holder}`)
    try {
      await store.put(key, JSON.stringify({ ...found.record, expiresAtMs }), { ifRevision: found.revision })
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error
      const now = await readLock(store, key)
      if (now?.record.nonce !== record.nonce || now.record.expiresAtMs !== expiresAtMs) throw error
    }
  }
  return {
    nonce: record.nonce,
    epoch: record.epoch,
    renew: () => change(nowMs() + ttlMs),
    stillHeld: async () => (await mine()) !== undefined,
    async remove() {
      for (let found = await mine(); found; found = await mine()) {
        try {
          return await store.delete(key, { ifRevision: found.revision })
        } catch (error) {
          // Renewed in between, or taken by somebody else: looking again tells.
          if (!(error instanceof StoreConflictError)) throw error
        }
      }
    },
    async release() {
      // The record stays, expired, so that the epoch goes on counting.
      try {
        await change(givenBack)
      } catch (error) {
        if (!(error instanceof StoreConflictError)) throw error
      }
    },
  }
}

async function readLock(
  store: StateStore,
  key: string,
): Promise<{ record: LockRecord; revision: number } | undefined> {
  const stored = await store.get(key)
  return stored && { record: parseLock(key, stored.value), revision: stored.revision }
}

function parseLock(key: string, text: string): LockRecord {
  try {
    const value: Partial<LockRecord> = JSON.parse(text)
    const { holder, nonce, epoch, acquiredAtMs, expiresAtMs } = value
    if (
      typeof holder === 'string' &&
      typeof nonce === 'string' &&
      typeof epoch === 'number' &&
      typeof acquiredAtMs === 'number' &&
      typeof expiresAtMs === 'number'
    ) {
      return { holder, nonce, epoch, acquiredAtMs, expiresAtMs }
    }
  } catch {
    // Told below.
  }
  // Never taken for free: its epoch would be lost.
  throw new HoldfastError('lock-damaged', `${key} holds no lock: ${text.slice(0, 80)}`, {
    remedy: 'Look who wrote it; delete the key when nobody is changing the cluster.',
  })
}
