import { type Genesis, type MemberRecord, type Stamp, unusedMember } from '../../src/quorum/records.ts'
import { commit, type Group, groups, type MemberData, membersOf, removedBy, settle } from './etcd-model.ts'

/**
 * A small world in memory for one etcd cluster: seats with machines and disks, a store that can be away
 * or rolled back, and etcd's own rules. The agent that lives in it is `agent.ts`.
 */
export interface SeatInStore {
  seat: string
  epoch: number
  machine: string
  member: MemberRecord
}

export interface Store {
  away: boolean
  genesis?: { value: Genesis; revision: number }
  seats: Map<string, { value: SeatInStore; revision: number }>
}

export interface DiskInWorld {
  volumeId: string
  stamp?: Stamp
  data?: MemberData
}

/** What a machine remembers on its root disk. */
export interface Memory {
  genesis?: { value: Genesis; revision: number }
  seats: Map<string, { value: SeatInStore; revision: number }>
}

export interface SeatInWorld {
  seat: string
  on: boolean
  machine: string
  mounted: boolean
  disk: DiskInWorld
  /** What has been put in place; empty after a reboot, because the manifests are on tmpfs. */
  manifest: 'no' | 'founding' | 'pod'
  /** Its process runs, and neither hears nor answers anybody. */
  stuck: boolean
  /** Looks with a majority in view; stands for time. */
  graceLooks: number
  /** Looks at it while it was stuck and the others had a majority; stands for time. */
  stuckLooks: number
  memory: Memory
  /** An apiserver of this machine serves: the agent saw its member vote in a formed cluster. */
  serves: boolean
  last: string
  /** The turn in hand: one durable effect a step. */
  turn?: Generator<string, void>
}

export interface World {
  declared: string[]
  store: Store
  seats: Map<string, SeatInWorld>
  lock?: { holder: Generator<string, void> | undefined }
  /** Acknowledged to a client: in which cluster. */
  acknowledged: { key: string; clusterId: string }[]
  log: string[]
  counter: number
  /** Chooses where chance does: which answer comes first, which follower lags. */
  choose: (below: number) => number
}

export function newWorld(seats: string[], choose: World['choose'] = () => 0): World {
  const world: World = {
    declared: [...seats],
    store: { away: false, seats: new Map() },
    seats: new Map(),
    acknowledged: [],
    log: [],
    counter: 0,
    choose,
  }
  for (const seat of seats) bootNewMachine(world, seat)
  return world
}

export const freshId = (world: World, prefix: string): string => {
  world.counter += 1
  return `${prefix}${world.counter}`
}

/** A new machine for the seat; its volume, if there is one, comes with it. */
export function bootNewMachine(world: World, seat: string): void {
  const before = world.seats.get(seat)
  world.seats.set(seat, {
    seat,
    on: true,
    machine: freshId(world, `machine-${seat}`),
    mounted: true,
    disk: before?.disk ?? { volumeId: freshId(world, `vol-${seat}`) },
    manifest: 'no',
    stuck: false,
    graceLooks: 0,
    stuckLooks: 0,
    memory: { seats: new Map() },
    serves: false,
    last: '',
  })
}

/** The machine starts again: its root disk and what it remembers stay, processes and manifests do not. */
export function reboot(world: World, seat: string): void {
  const it = at(world, seat)
  const { turn: _, ...rest } = it
  const fresh = { manifest: 'no', stuck: false, graceLooks: 0, stuckLooks: 0, serves: false } as const
  world.seats.set(seat, { ...rest, on: true, ...fresh })
}

export function at(world: World, seat: string): SeatInWorld {
  const found = world.seats.get(seat)
  if (!found) throw new Error(`no seat ${seat}`)
  return found
}

/** Every etcd process that runs. One whose data is damaged, or whose member was removed, ends. */
export function running(world: World): MemberData[] {
  const found: MemberData[] = []
  for (const { on, manifest, stuck, disk, mounted } of world.seats.values()) {
    if (!on || !mounted || stuck || manifest === 'no' || !disk.data || disk.data.corrupt) continue
    if (disk.data.memberId !== disk.stamp?.memberId) continue
    found.push(disk.data)
  }
  return found
}

/** Starts what the manifests ask for, lets followers catch up, and checks what must always hold. */
export function tick(world: World): void {
  for (const it of world.seats.values()) {
    const { on, mounted, manifest, disk } = it
    if (!on || !mounted || manifest !== 'pod' || disk.data || !disk.stamp) continue
    // `existing` without data: etcd asks the others, and goes on only if they list this id.
    const { clusterId, memberId } = disk.stamp
    const group = groups(running(world)).find((one) => one.clusterId === clusterId)
    if (group?.members.has(memberId)) disk.data = { clusterId, memberId, log: [] }
  }
  for (const group of groups(running(world))) settle(group)
  checkAcknowledged(world)
}

/** Whoever has a majority holds everything that was acknowledged. */
export function checkAcknowledged(world: World): void {
  const clusters = new Set(world.acknowledged.map(({ clusterId }) => clusterId))
  if (clusters.size > 1) throw new Error(`two clusters acknowledged writes: ${[...clusters].join(', ')}`)
  for (const group of groups(running(world))) {
    if (!serving(world, group)) continue
    const keys = new Set(group.log.flatMap((entry) => ('put' in entry ? [entry.put] : [])))
    const lost = world.acknowledged.filter(({ key }) => !keys.has(key))
    if (lost.length > 0) throw new Error(`lost: ${lost.map(({ key }) => key).join(', ')}`)
  }
}

/** An apiserver beside one of its voters serves. */
const serving = (world: World, group: Group): boolean =>
  [...world.seats.values()].some(
    ({ on, serves, disk }) =>
      on && serves && disk.data !== undefined && group.alive.includes(disk.data) && votes(group, disk.data),
  )

const votes = (group: Group, data: MemberData): boolean => group.members.get(data.memberId)?.learner === false

/** A client's write through any apiserver; true when it was acknowledged. */
export function write(world: World, key: string): boolean {
  for (const group of groups(running(world))) {
    if (!serving(world, group)) continue
    commit(group, { put: key }, () => world.choose(2) === 0)
    world.acknowledged.push({ key, clusterId: group.clusterId })
    checkAcknowledged(world)
    return true
  }
  return false
}

/** One line a seat, the same for the same end whatever ids were given on the way. */
export function status(world: World): string[] {
  const [group] = groups(running(world))
  const genesis = world.store.genesis?.value
  const head = genesis ? `genesis ${genesis.phase}` : 'no genesis'
  return [
    `${head}; ${group ? 'quorum' : 'no quorum'}`,
    ...[...world.seats.values()].map(({ seat, on, disk, last }) => {
      const state = world.store.seats.get(seat)?.value.member.state ?? 'none'
      const member = disk.data && group?.members.get(disk.data.memberId)
      const alive = on && member && disk.data && group?.alive.includes(disk.data)
      const kind = alive ? (member.learner ? 'learner' : 'voter') : on ? 'not a member' : 'off'
      return `${seat}: ${kind}, recorded ${state}${alive ? '' : `; ${last}`}`
    }),
    ...(group && group.members.size > group.alive.length
      ? [`${group.members.size - group.alive.length} of ${group.members.size} members do not run`]
      : []),
  ]
}

/** Whether every declared seat has a healthy voter and the cluster has no other member. */
export function isWhole(world: World): boolean {
  const [group, another] = groups(running(world))
  if (!group || another || group.members.size !== world.declared.length) return false
  return world.declared.every((seat) => {
    const { disk } = at(world, seat)
    return disk.data !== undefined && group.alive.includes(disk.data) && votes(group, disk.data)
  })
}

/** Whether the disks that are left could be a majority again: then nobody may be left waiting for `recover`. */
export function majoritySurvives(world: World): boolean {
  const disks = [...world.seats.values()].flatMap(({ disk }) => (disk.data?.corrupt ? [] : (disk.data ?? [])))
  return groups(disks.filter((data) => !removedBy(longest(disks, data.clusterId), data.memberId))).length > 0
}

const longest = (disks: readonly MemberData[], clusterId: string) =>
  disks
    .filter((data) => data.clusterId === clusterId)
    .reduce<MemberData['log']>((best, { log }) => (log.length > best.length ? log : best), [])

export { membersOf, unusedMember }
