import { keys } from './keys.ts'
import type { StateStore } from './store.ts'

/** `CLUSTER/machines/ID.json`: what a machine says of itself. For people; proves nothing about being alive. */
export interface Heartbeat {
  machine: string
  /** RFC 3339. */
  at: string
  seat?: string
  /** What each part of the agent waits for. */
  waiting: Record<string, string>
}

const longestReason = 160

/** What a machine last said; undefined where it has said nothing, or nothing that can be read. */
export async function readHeartbeat(
  store: StateStore,
  cluster: string,
  machine: string,
): Promise<Heartbeat | undefined> {
  // Nothing is decided by it, so a record that is damaged is no reason to show nothing else.
  const stored = await store.get(keys.machine(cluster, machine)).catch(() => undefined)
  return stored && parseHeartbeat(machine, stored.value)
}

/** Machines write these themselves: nothing in them is trusted, and no control character reaches a terminal. */
function parseHeartbeat(machine: string, text: string): Heartbeat | undefined {
  try {
    const { at, seat, waiting }: Partial<Record<keyof Heartbeat, unknown>> = JSON.parse(text)
    const date = new Date(typeof at === 'string' ? at : Number.NaN)
    const said = Object.entries(typeof waiting === 'object' && waiting !== null ? waiting : {})
    return {
      machine,
      at: date.toISOString(),
      ...(typeof seat === 'string' ? { seat: printable(seat) } : {}),
      waiting: Object.fromEntries(said.map(([part, why]) => [printable(part), printable(String(why))])),
    }
  } catch {
    return undefined
  }
}

const printable = (text: string): string => text.replaceAll(/\p{Cc}+/gu, ' ')

/** What a machine waits for and how old its word is, in one line; undefined where it waits for nothing. */
export function describeWaiting(heartbeat: Heartbeat | undefined, nowMs: number): string | undefined {
  const reasons = Object.entries(heartbeat?.waiting ?? {}).map(([part, why]) => `${part}: ${why}`)
  if (!heartbeat || reasons.length === 0) return undefined
  const text = reasons.join('; ')
  const shown = text.length > longestReason ? `${text.slice(0, longestReason)}…` : text
  return `${shown} (${inUnits(nowMs - Date.parse(heartbeat.at))} ago)`
}

/** Clocks of two machines may differ a little. */
function inUnits(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < 120) return `${seconds} s`
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`
}
