import { setTimeout as sleep } from 'node:timers/promises'
import type { Heartbeat } from '../store/heartbeats.ts'
import { keys } from '../store/keys.ts'
import type { AgentContext } from './context.ts'

const everyMs = 20_000
const lookMs = 1_000

/** Written when what it says has changed, and every 20 s. The store may be away: that is no harm. */
export async function runHeartbeat(
  context: AgentContext,
  waiting: () => Record<string, string>,
  seat: () => string | undefined,
): Promise<never> {
  let last = ''
  let writtenAt = 0
  for (;;) {
    const said = JSON.stringify(waiting())
    if (said !== last || performance.now() - writtenAt > everyMs) {
      const { cluster, machineId } = context.identity
      const beat: Heartbeat = {
        machine: machineId,
        at: new Date().toISOString(),
        ...(seat() ? { seat: seat() as string } : {}),
        waiting: waiting(),
      }
      try {
        await context.surroundings.store().put(keys.machine(cluster, machineId), JSON.stringify(beat))
        last = said
        writtenAt = performance.now()
      } catch {
        await sleep(lookMs * 4)
      }
    }
    await sleep(lookMs)
  }
}
