import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { HoldfastError } from '../errors.ts'
import { keys } from '../store/keys.ts'
import { acquireLock, type HeldLock, type LockRecord } from '../store/lock.ts'
import { bootId, startTimeOf } from '../store/process-lock.ts'
import { type StateStore, StoreConflictError } from '../store/store.ts'
import { type Operation, throwIfStopped } from './operation.ts'

const ttlMs = 30_000
const renewMs = 10_000
const pollMs = 200
/** Longer than any operation that goes well. */
const operationWaitMs = 20 * 60_000
/** The first may have to build everything that machines are made from. */
const upWaitMs = 2 * 3_600_000

/**
 * Runs `action` as the only operation that changes this cluster. Another one is waited for, named by
 * its process id; one whose process was killed is taken over from at once.
 * @throws HoldfastError `operation-busy` when the other one does not end.
 */
export async function withOperationLock<T>(
  operation: Operation,
  cluster: string,
  action: (lock: HeldLock) => Promise<T>,
): Promise<T> {
  const { store } = operation
  const lock = await waitForLock(operation, cluster, 'operation', operationWaitMs)
  return held(lock, action, async () => {
    const isThere = (await store.get(keys.clusterSpec(cluster))) ?? (await store.get(keys.deletion(cluster)))
    // The record of a cluster stays, so that its epoch goes on counting. Of none that is no more anything is left.
    await (isThere ? lock.release() : lock.remove())
  })
}

/**
 * The same for a whole `up`, most of which is waiting: it keeps other `up`s of this cluster off and nobody else.
 * What changes anything is done under the operation lock besides.
 * @param onPoll called again and again while it waits.
 */
export async function withUpLock<T>(
  operation: Operation,
  cluster: string,
  action: () => Promise<T>,
  onPoll?: () => Promise<void>,
): Promise<T> {
  const lock = await waitForLock(operation, cluster, 'up', upWaitMs, onPoll)
  // Nothing of an `up` that declared nothing is left in the store.
  return held(lock, action, lock.remove)
}

async function held<T>(
  lock: HeldLock,
  action: (lock: HeldLock) => Promise<T>,
  end: () => Promise<void>,
): Promise<T> {
  // A failed renewal shows at the next `stillHeld`, which is asked before each step.
  const renewal = setInterval(() => void lock.renew().catch(() => {}), renewMs).unref()
  try {
    return await action(lock)
  } finally {
    clearInterval(renewal)
    await end().catch(() => {})
  }
}

async function waitForLock(
  operation: Operation,
  cluster: string,
  name: 'operation' | 'up',
  waitMs: number,
  onPoll?: () => Promise<void>,
): Promise<HeldLock> {
  const key = keys.lock(cluster, name)
  const holder = await describeThisProcess()
  const deadline = performance.now() + waitMs
  for (let said = false; ; ) {
    const outcome = await acquireLock(operation.store, key, { holder, ttlMs, mayTake })
    if (outcome.acquired) return outcome.lock
    if ((await stateOf(outcome.heldBy)) === 'dead') {
      await expire(operation.store, key, outcome.heldBy)
      continue
    }
    if (!said) {
      operation.report({
        type: 'note',
        message: `Waiting for another operation on ${cluster} to end: ${describeHolder(outcome.heldBy)}`,
      })
      said = true
    }
    throwIfStopped(operation, cluster)
    if (performance.now() > deadline) {
      throw new HoldfastError(
        'operation-busy',
        `Another operation on ${cluster} does not end: ${describeHolder(outcome.heldBy)}`,
        {
          remedy: 'Look what it waits for; the next command goes on once that process has ended.',
          exitCode: 4,
        },
      )
    }
    await onPoll?.()
    await sleep(pollMs)
  }
}

/** `process PID START HOST BOOT`: enough to tell whether that process still lives. */
async function describeThisProcess(): Promise<string> {
  return ['process', process.pid, await startTimeOf(process.pid), hostname(), bootId()].join(' ')
}

/** Of a process on another host nothing is known. */
async function stateOf(record: LockRecord): Promise<'dead' | 'alive' | 'unknown'> {
  const [, pid, start, host, boot] = record.holder.split(' ')
  if (host !== hostname()) return 'unknown'
  return boot === bootId() && (await startTimeOf(Number(pid))) === start ? 'alive' : 'dead'
}

/**
 * After this host was suspended, or its clock set, the time of a hold may be over while its process goes on. What
 * this process held before it no longer does.
 */
const mayTake = async (record: LockRecord): Promise<boolean> =>
  record.holder.split(' ')[1] === String(process.pid) || (await stateOf(record)) !== 'alive'

/** For whoever acts under the lock, before each act. @throws StoreConflictError. */
export async function refuseLostLock(lock: HeldLock, cluster: string): Promise<void> {
  if (!(await lock.stillHeld())) throw new StoreConflictError(cluster, `the lock on ${cluster} was lost`)
}

function describeHolder(record: LockRecord): string {
  const [, pid, , host] = record.holder.split(' ')
  return host === hostname() ? `process ${pid}` : `process ${pid} on ${host}`
}

/** Ends the hold of a process that is proven dead, unless somebody else was quicker. */
async function expire(store: StateStore, key: string, dead: LockRecord): Promise<void> {
  const found = await store.get(key)
  if (!found || (JSON.parse(found.value) as LockRecord).nonce !== dead.nonce) return
  try {
    await store.put(key, JSON.stringify({ ...dead, expiresAtMs: 0 }), { ifRevision: found.revision })
  } catch (error) {
    if (!(error instanceof StoreConflictError)) throw error
  }
}
