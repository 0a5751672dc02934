import { randomUUID } from 'node:crypto'
import { type SeatRecord, unusedMember } from '../quorum/records.ts'
import type { InstanceGroupSpec } from '../spec/types.ts'
import { keys } from '../store/keys.ts'
import { StoreConflictError, StoreUnavailableError } from '../store/store.ts'
import type { AgentContext } from './context.ts'
import type { Recalled } from './remembering-store.ts'
import { parseYaml } from './yaml.ts'

/** The seat that this machine's group sits in. @throws StoreUnavailableError when it was never seen. */
export async function seatOfGroup(context: AgentContext): Promise<string> {
  const { cluster, group } = context.identity
  const { stored } = await context.store.recall(keys.group(cluster, group))
  const spec = stored && (parseYaml(stored.value) as InstanceGroupSpec)
  if (!spec?.spec.seat)
    throw new StoreUnavailableError(context.store.location, `group ${group} names no seat yet`)
  return spec.spec.seat
}

/** A seat's record as last seen, with whether the store itself said so. */
export interface SeenSeat {
  record: SeatRecord
  revision: number
  fresh: boolean
  rolledBack: boolean
}

export async function readSeat(context: AgentContext, seat: string): Promise<SeenSeat | undefined> {
  return seen(await context.store.recall(keys.seat(context.identity.cluster, seat)))
}

const seen = ({ stored, fresh, rolledBack }: Recalled): SeenSeat | undefined =>
  stored && { record: JSON.parse(stored.value) as SeatRecord, revision: stored.revision, fresh, rolledBack }

/** Every seat that has a record. */
export async function readSeats(context: AgentContext): Promise<SeenSeat[]> {
  const recalled = await context.store.recallAll(keys.seats(context.identity.cluster))
  return recalled.flatMap((one) => seen(one) ?? [])
}

/**
 * One look at the seat: takes it, or says why it has to wait. A seat whose holder the cloud still
 * lists is never taken: an old heartbeat proves nothing. Ask again until `held`.
 */
export async function claimSeat(
  context: AgentContext,
  seat: string,
): Promise<{ held: true; epoch: number } | { held: false; reason: string }> {
  const { identity, store } = context
  const found = await readSeat(context, seat)
  if (found?.record.machine === identity.machineId) {
    if (found.fresh && found.record.address !== identity.address) {
      await put(context, { ...found.record, address: identity.address }, found.revision)
    }
    return { held: true, epoch: found.record.epoch }
  }
  if (found && !found.fresh) {
    const why = found.rolledBack ? 'is older than what this machine has seen' : 'does not answer'
    return { held: false, reason: `seat ${seat} can only be claimed through the state store, which ${why}` }
  }
  if (found) {
    const alive = await context.surroundings.machines()
    const holder = alive.find((machine) => machine.id === found.record.machine)
    if (holder)
      return { held: false, reason: `seat ${seat} is held by ${holder.id}, which is ${holder.state}` }
  }
  const record: SeatRecord = {
    seat,
    group: identity.group,
    zone: identity.zone,
    epoch: (found?.record.epoch ?? 0) + 1,
    nonce: randomUUID(),
    machine: identity.machineId,
    address: identity.address,
    members: found?.record.members ?? { main: unusedMember(), events: unusedMember() },
  }
  try {
    await put(context, record, found?.revision)
  } catch (error) {
    // A write that timed out is neither won nor lost: the nonce tells.
    if (!(error instanceof StoreConflictError || error instanceof StoreUnavailableError)) throw error
    const now = await store.get(keys.seat(identity.cluster, seat))
    const winner = now && (JSON.parse(now.value) as SeatRecord)
    if (winner?.nonce !== record.nonce) {
      return { held: false, reason: `seat ${seat} was taken by ${winner?.machine ?? 'nobody yet'}` }
    }
  }
  return { held: true, epoch: record.epoch }
}

const put = (context: AgentContext, record: SeatRecord, revision: number | undefined): Promise<number> =>
  context.store.put(
    keys.seat(context.identity.cluster, record.seat),
    JSON.stringify(record),
    revision === undefined ? { ifAbsent: true } : { ifRevision: revision },
  )

/**
 * Changes this machine's own seat record by compare-and-swap, again after a lost race.
 * @throws StoreConflictError `seat-lost` when another machine holds the seat by now.
 */
export async function changeSeat(
  context: AgentContext,
  seat: string,
  change: (record: SeatRecord) => SeatRecord,
): Promise<SeatRecord> {
  const key = keys.seat(context.identity.cluster, seat)
  for (let attempt = 0; attempt < 10; attempt++) {
    const stored = await context.store.get(key)
    const record = stored && (JSON.parse(stored.value) as SeatRecord)
    if (!stored || !record || record.machine !== context.identity.machineId) {
      throw new StoreConflictError(
        key,
        `seat ${seat} is held by ${record?.machine ?? 'nobody'}, not by this machine`,
      )
    }
    const changed = change(record)
    try {
      await context.store.put(key, JSON.stringify(changed), { ifRevision: stored.revision })
      return changed
    } catch (error) {
      if (!(error instanceof StoreConflictError)) throw error
    }
  }
  throw new StoreConflictError(key, `seat ${seat} kept changing`)
}
