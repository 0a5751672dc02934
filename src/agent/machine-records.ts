import type { Machine } from '../clouds/cloud.ts'
import { keys } from '../store/keys.ts'
import type { AgentContext } from './context.ts'

/**
 * Deletes what machines said of themselves (`heartbeat.ts`) once the cloud lists them no more; their names are
 * never used again. The store is asked only where machines came or went since the last call.
 */
export function forgetDeadMachines(
  context: Pick<AgentContext, 'identity' | 'surroundings' | 'store'>,
): (machines: readonly Pick<Machine, 'id'>[]) => Promise<void> {
  const { cluster } = context.identity
  let cleanedFor: string | undefined
  return async (machines) => {
    const present = machines
      .map(({ id }) => id)
      .sort()
      .join()
    if (present === cleanedFor) return
    const written = await context.store.list(keys.machines(cluster))
    // Asked after the store: a machine that has written by then is listed for as long as it lives.
    const alive = (await context.surroundings.machines()).map(({ id }) => keys.machine(cluster, id))
    for (const key of written) if (!alive.includes(key)) await context.store.delete(key)
    cleanedFor = present
  }
}
