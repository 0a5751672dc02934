import { setTimeout as sleep } from 'node:timers/promises'
import type { Heartbeat } from '../store/heartbeats.ts'
import { keys } from '../store/keys.ts'
import type { AgentContext } from './context.ts'

const everyMs = 20_000
const lookMs = 1_000

/** The store may be away: that is no harm. */
export async function runHeartbeat(
  context: AgentContext,
  waiting: () => Record<string, string>,
  seat: () => string | undefined,
): Promise<never> {
  const beat = heartbeats(context, waiting, seat)
  for (;;) {
    await beat().catch(() => sleep(lookMs * 4))
    await sleep(lookMs)
  }
}

/** Each call writes if what the machine says has changed, or was last written 20 s ago. */
export function heartbeats(
  { identity, surroundings }: Pick<AgentContext, 'identity' | 'surroundings'>,
  waiting: () => Record<string, string>,
  seat: () => string | undefined,
  now: () => number = () => performance.now(),
): () => Promise<void> {
  const { cluster, machineId: machine } = identity
  let last: { said: string; atMs: number } | undefined
  return async () => {
    const said = JSON.stringify(waiting())
    if (said === last?.said && now() - last.atMs <= everyMs) return
    const own = seat()
    const beat: Heartbeat = {
      machine,
      at: new Date().toISOString(),
      ...(own ? { seat: own } : {}),
      waiting: waiting(),
    }
    await surroundings.store().put(keys.machine(cluster, machine), JSON.stringify(beat))
    last = { said, atMs: now() }
  }
}
