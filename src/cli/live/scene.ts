import type { DrillMoment } from '../../drills/drill.ts'
import { healthyVoters, mayLoseMore } from '../../drills/strength.ts'
import { acknowledged, type WriteRecord } from '../../drills/workload.ts'
import { ETCD_NAMES, type EtcdName } from '../../spec/types.ts'

/** Everything the live view shows at one moment, as plain data. */
export interface Scene {
  title: string
  phase: string
  elapsedMs: number
  strip: Strip
  etcd: Partial<Record<EtcdName, { voters: number; healthy: number }>>
  /** Undefined while it is not known. */
  mayLose: number | undefined
  masters: SceneMaster[]
  counters: { sent: number; failed: number; longestGapMs: number; lost: number | undefined }
  missing: string[]
}

export interface Strip {
  /** Oldest first: the share of writes that were acknowledged, 0 where none completed; undefined before the start. */
  cells: (number | undefined)[]
  cellMs: number
  /** Cells in which a fault came. */
  faults: number[]
}

export interface SceneMaster {
  group: string
  zone: string
  machine: string
  state: 'running' | 'starting' | 'stopped' | 'killed'
  /** For how long it has been so. */
  forMs: number
  leads: EtcdName[]
}

/** What must be remembered between moments: machines that are gone, and the faults so far. */
export interface SceneMemory {
  startedMs: number
  seen: Map<string, Omit<SceneMaster, 'forMs' | 'leads' | 'state'>>
  killed: Map<string, number>
  faultsMs: number[]
}

export const newMemory = (startedMs: number): SceneMemory => ({
  startedMs,
  seen: new Map(),
  killed: new Map(),
  faultsMs: [],
})

export interface SceneOptions {
  title: string
  cells: number
  cellMs: number
}

/** @param memory is brought up to date. */
export function sceneOf(
  moment: DrillMoment,
  memory: SceneMemory,
  nowMs: number,
  { title, cells, cellMs }: SceneOptions,
): Scene {
  const { observation, workload, fault } = moment
  if (fault && !memory.faultsMs.includes(fault.atMs)) memory.faultsMs.push(fault.atMs)
  const etcd: Scene['etcd'] = {}
  for (const name of ETCD_NAMES) {
    const status = observation.etcd[name]
    if (!status) continue
    etcd[name] = { voters: status.members.filter((m) => m.voter).length, healthy: healthyVoters(status) }
  }
  const { sent, failed, longestGapMs } = workload
  return {
    title,
    phase: moment.phase,
    elapsedMs: nowMs - memory.startedMs,
    strip: stripOf(workload.records, memory.faultsMs, nowMs, cells, cellMs),
    etcd,
    mayLose: mayLoseMore(observation),
    masters: mastersOf(moment, memory, nowMs),
    counters: { sent, failed, longestGapMs, lost: moment.lost },
    missing: moment.missing,
  }
}

function mastersOf(moment: DrillMoment, memory: SceneMemory, nowMs: number): SceneMaster[] {
  const { inventory, etcd } = moment.observation
  const alive = inventory.machines.filter((machine) => machine.role === 'master')
  const { fault } = moment
  if (fault) memory.killed.set(fault.machine, fault.atMs)
  for (const { id, group, zone } of alive) memory.seen.set(id, { group, zone, machine: id })
  const present: SceneMaster[] = alive.map((machine) => ({
    group: machine.group,
    zone: machine.zone,
    machine: machine.id,
    state: memory.killed.has(machine.id) ? 'killed' : machine.state,
    forMs: Math.max(0, nowMs - (memory.killed.get(machine.id) ?? Date.parse(machine.bootedAt))),
    leads: ETCD_NAMES.filter((name) => etcd[name]?.leaderMachine === machine.id),
  }))
  const ids = new Set(alive.map((machine) => machine.id))
  for (const id of memory.seen.keys())
    if (!ids.has(id) && !memory.killed.has(id)) memory.killed.set(id, nowMs)
  // The dead stay in sight for as long as their place is not filled again.
  const gone: SceneMaster[] = [...memory.seen.values()]
    .filter(
      (known) => !ids.has(known.machine) && (memory.killed.get(known.machine) ?? 0) >= (fault?.atMs ?? 0),
    )
    .filter(() => moment.missing.length > 0)
    .map((known) => ({
      ...known,
      state: 'killed',
      forMs: nowMs - (memory.killed.get(known.machine) ?? nowMs),
      leads: [],
    }))
  return [...gone, ...present].sort(
    (a, b) => a.group.localeCompare(b.group) || Number(b.state === 'killed') - Number(a.state === 'killed'),
  )
}

/** Cells have fixed borders in time, so that what is drawn moves by whole cells. */
export function stripOf(
  records: readonly WriteRecord[],
  faultsMs: readonly number[],
  nowMs: number,
  count: number,
  cellMs: number,
): Strip {
  const end = Math.floor(nowMs / cellMs)
  const firstMs = records.reduce(
    (least, record) => Math.min(least, record.startedMs),
    Number.POSITIVE_INFINITY,
  )
  const tally = Array.from({ length: count }, () => ({ good: 0, all: 0 }))
  const cellOf = (ms: number): number => Math.floor(ms / cellMs) - (end - count)
  for (let index = records.length - 1; index >= 0; index -= 1) {
    const record = records[index]
    const cell = record && tally[cellOf(record.endedMs)]
    // Records are in the order of their ends: everything before this one is older still.
    if (record && cellOf(record.endedMs) < 0) break
    if (!cell || !record) continue
    cell.all += 1
    if (acknowledged(record)) cell.good += 1
  }
  return {
    cells: tally.map(({ good, all }, index) => {
      if (all > 0) return good / all
      return (end - count + index) * cellMs > firstMs ? 0 : undefined
    }),
    cellMs,
    faults: faultsMs.map(cellOf).filter((cell) => cell >= 0 && cell < count),
  }
}
