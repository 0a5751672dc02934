import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { waitFor } from '../clouds/local/process.ts'
import { ports } from '../constants.ts'
import { writeDurably } from '../durable-file.ts'
import { HoldfastError } from '../errors.ts'
import { askHaproxy, type SlotState, slotStates } from './haproxy-admin.ts'
import {
  assignSlots,
  type BalancerTarget,
  backends,
  balancerTimes,
  type Slot,
  type SlotTable,
} from './render.ts'

/** How long requests in flight may take before a master that is to stop is cut off. */
export const drainTimeoutMs = 1_000

/** Compares with what HAProxy has, so that a change that was cut short is completed. */
export async function applyTargets(
  folders: { slots: string; socket: string },
  targets: readonly BalancerTarget[],
): Promise<void> {
  const table = assignSlots(await readSlots(folders.slots), targets)
  await writeDurably(folders.slots, JSON.stringify(table))
  const states = await slotStates(folders.socket)
  const leaving = states.filter(
    ({ slot, state, address }) => state !== 'maint' && table[slot]?.address !== address,
  )
  const busy = leaving.filter(({ state }) => state === 'up' || state === 'drain').map(({ slot }) => slot)
  if (busy.length > 0) {
    await command(
      folders.socket,
      busy.flatMap((slot) => setServer(slot, 'state drain')),
    )
    await untilIdle(folders.socket, busy, drainTimeoutMs)
  }
  if (leaving.length > 0) {
    await command(
      folders.socket,
      leaving.flatMap(({ slot }) => setServer(slot, 'state maint')),
    )
    // What is just connecting is tried elsewhere within this time; only then is the rest closed:
    // better than leaving clients on a machine that is switched off.
    await sleep(balancerTimes.connectTimeoutMs + 50)
    await closeSessions(folders.socket, leaving)
  }
  for (const { slot, state, address } of states) {
    const target = table[slot]
    if (!target) continue
    if (target.address === address && state === 'drain')
      await command(folders.socket, setServer(slot, 'state ready'))
    if (target.address === address && state !== 'maint') continue
    await command(folders.socket, [
      ...setServer(slot, `addr ${target.address} port ${ports.apiserver}`),
      // Out of maintenance it would count as up until its first check has failed.
      ...setServer(slot, 'state ready'),
      ...setServer(slot, 'health down'),
    ])
  }
}

export const closeSessions = (socket: string, which: readonly Pick<SlotState, 'slot'>[]): Promise<void> =>
  command(
    socket,
    which.flatMap(({ slot }) => backends.map((backend) => `shutdown sessions server ${backend}/${slot}`)),
  )

/** The same for one slot in both backends, in this order. */
export const setServer = (slot: Slot, what: string): string[] =>
  backends.map((backend) => `set server ${backend}/${slot} ${what}`)

/** Waits until no connection goes through these slots; returns how many do when `timeoutMs` is over. */
export async function untilIdle(
  socket: string,
  which: readonly string[],
  timeoutMs: number,
): Promise<number> {
  let left = 0
  await waitFor(async () => {
    const states = await slotStates(socket)
    left = states.filter(({ slot }) => which.includes(slot)).reduce((sum, { sessions }) => sum + sessions, 0)
    return left === 0
  }, timeoutMs)
  return left
}

/** HAProxy answers a command that worked with nothing, or with what it changed; else with a reason. */
export async function command(socket: string, commands: readonly string[]): Promise<void> {
  if (commands.length === 0) return
  const answer = (await askHaproxy(socket, commands)).trim()
  const complaints = answer.split('\n').filter((line) => line && !/changed|no need to change/.test(line))
  if (complaints.length > 0) {
    throw new HoldfastError(
      'balancer-refused',
      `HAProxy refused \`${commands.join('; ')}\`: ${complaints.join(' ')}`,
    )
  }
}

export async function readSlots(path: string): Promise<SlotTable> {
  const text = await readFile(path, 'utf8').catch(() => '{}')
  try {
    return JSON.parse(text) as SlotTable
  } catch {
    // Only names are lost: the addresses are asked from HAProxy and set again.
    return {}
  }
}
