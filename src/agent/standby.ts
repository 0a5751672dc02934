import { setTimeout as sleep } from 'node:timers/promises'
import { keys } from '../store/keys.ts'
import { acquireLock } from '../store/lock.ts'
import type { AgentContext } from './context.ts'
import { waitForApiserver } from './kubernetes.ts'

const standbyMs = 15_000
const settleMs = 5_000
const lookEveryMs = 200

/** Who goes first where several masters come up at once. */
export interface Turn {
  /** Returns when this master may start its apiserver. */
  forApiserver(): Promise<void>
  /** Returns when it may start its controller-manager and scheduler. `isReady`: whether its own node is. */
  forControllers(isReady: () => boolean): Promise<void>
}

/**
 * Masters that come up together share the processors of one host, and all but one of what they start
 * stands by at first: one controller-manager and one scheduler work at a time, and one apiserver writes
 * what every cluster begins with. So the first goes ahead and the others give way, each time for
 * 15 s at most: with their apiservers until its own answers, with their controllers until their own node
 * has been ready for a while. A master that comes up alone is always the first; without the store everybody is.
 */
export async function takeTurn(context: AgentContext): Promise<Turn> {
  const { cluster, machineId } = context.identity
  const first = await acquireLock(context.store, keys.lock(cluster, 'first-start'), {
    holder: machineId,
    ttlMs: standbyMs,
  }).catch(() => undefined)
  const ahead =
    first && !first.acquired && first.heldBy.holder !== machineId ? first.heldBy.holder : undefined
  return {
    async forApiserver() {
      if (!ahead) return
      const machines = await context.surroundings.machines().catch(() => [])
      const address = machines.find(({ id }) => id === ahead)?.address
      if (!address) return
      // One that does not come up is no reason to wait any longer.
      await waitForApiserver(address, { enough: 'answers', timeoutMs: standbyMs }).catch(() => {})
    },
    async forControllers(isReady) {
      const deadline = performance.now() + standbyMs
      while (ahead && !isReady() && performance.now() < deadline) await sleep(lookEveryMs)
      // The pods that every node begins with come first.
      if (ahead) await sleep(Math.min(settleMs, Math.max(0, deadline - performance.now())))
    },
  }
}
