import type { Genesis, MemberRecord, Stamp } from '../../src/quorum/records.ts'
import type { Stall } from '../../src/quorum/stall.ts'
import { commit, type Group, groups, type MemberData, removedBy, serves, settle } from './etcd-model.ts'

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

/** A volume: one machine at a time has it. */
export interface DiskInWorld {
  volumeId: string
  attachedTo?: string
  stamp?: Stamp
  data?: MemberData
}

/** What a machine remembers on its root disk. */
export interface Memory {
  genesis?: { value: Genesis; revision: number }
  seats: Map<string, { value: SeatInStore; revision: number }>
}

export interface MachineInWorld {
  seat: string
  machine: string
  on: boolean
  /** The cloud lists it; of one that runs and is not listed, everybody else believes that it is dead. */
  listed: boolean
  mounted: boolean
  disk: DiskInWorld
  /** What has been put in place; empty after a reboot, because the manifests are on tmpfs. */
  manifest: 'no' | 'founding' | 'pod'
  /** Its process runs, and neither hears nor answers anybody. */
  stuck: boolean
  /** Its process answers agents, and is cut off from the other members. */
  cut: boolean
  /** Looks with a majority in view; stands for time. */
  graceLooks: number
  /** Looks since the agent's start; stands for time. */
  looks: number
  stall: Stall
  memory: Memory
  /** Its agent has claimed the seat since it started. */
  claimed: boolean
  /** An apiserver of this machine serves: the agent saw its member vote in a formed cluster. */
  serves: boolean
  last: string
  /** The turn in hand: one durable effect a step. */
  turn?: Generator<string, void>
}

export interface World {
  declared: string[]
  store: Store
  /** Each seat's newest machine. */
  seats: Map<string, MachineInWorld>
  /** Machines that run although their seat has a newer one; named `a~`. */
  former: MachineInWorld[]
  lock?: { holder: Generator<string, void> | undefined }
  /** Acknowledged to a client: in which cluster. */
  acknowledged: { key: string; clusterId: string }[]
  /** Whatever an agent has said. */
  said: Set<string>
  counter: number
  /** Chooses where chance does: which answer comes first, which follower lags. */
  choose: (below: number) => number
}

export function newWorld(seats: string[], choose: World['choose'] = () => 0): World {
  const world: World = {
    declared: [...seats],
    store: { away: false, seats: new Map() },
    seats: new Map(),
    former: [],
    acknowledged: [],
    said: new Set(),
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

/** What an agent forgets when it is killed. */
const newAgent = () => ({ graceLooks: 0, looks: 0, stall: { restarts: 0 } as Stall, claimed: false })
/** What a machine's boot begins with. */
const newBoot = () => ({ ...newAgent(), manifest: 'no', stuck: false, serves: false, on: true }) as const

/** A new machine for the seat; its volume, if there is one, comes with it once no other machine has it. */
export function bootNewMachine(world: World, seat: string): void {
  world.seats.set(seat, {
    seat,
    machine: freshId(world, `machine-${seat}`),
    listed: true,
    mounted: true,
    cut: false,
    disk: world.seats.get(seat)?.disk ?? { volumeId: freshId(world, `vol-${seat}`) },
    memory: { seats: new Map() },
    last: '',
    ...newBoot(),
  })
}

/** The machine starts again: its root disk and what it remembers stay, processes and manifests do not. */
export function reboot(it: MachineInWorld): void {
  delete it.turn
  Object.assign(it, newBoot())
}

/** Kills the agent where it stands; a lock that it held expires by itself, later. */
export function killAgent(world: World, name: string): void {
  const it = at(world, name)
  delete it.turn
  Object.assign(it, newAgent())
}

/** Every machine that is there, by its name: `a`, and those before it `a~`, `a~~`, from the newest on. */
export function machines(world: World): Map<string, MachineInWorld> {
  const all = new Map<string, MachineInWorld>()
  for (const it of [...world.former].reverse()) {
    let name = `${it.seat}~`
    while (all.has(name)) name += '~'
    all.set(name, it)
  }
  return new Map([...world.seats, ...all])
}

export function at(world: World, name: string): MachineInWorld {
  const found = machines(world).get(name)
  if (!found) throw new Error(`no machine ${name}`)
  return found
}

/** Why this machine cannot have its volume; it has it from now on where nothing is said. */
export function attach(world: World, it: MachineInWorld): string | undefined {
  const { disk } = it
  if (!it.mounted) return `volume ${disk.volumeId} is not mounted`
  const holder = [...machines(world).values()].find(({ machine }) => machine === disk.attachedTo)
  if (holder && holder !== it) return `volume ${disk.volumeId} is attached to another machine`
  disk.attachedTo = it.machine
  return undefined
}

/** Whether etcd runs on this machine. Where data is damaged it ends, and where its member was removed. */
export function runs({ on, mounted, manifest, disk }: MachineInWorld): boolean {
  if (!on || !mounted || manifest === 'no') return false
  return disk.data !== undefined && !disk.data.corrupt && disk.data.memberId === disk.stamp?.memberId
}

const dataOf = (all: Iterable<MachineInWorld>): MemberData[] =>
  [...all].flatMap(({ disk }) => disk.data ?? [])

/** Every etcd process that hears the others. */
export const running = (world: World): MemberData[] =>
  dataOf([...machines(world).values()].filter((it) => runs(it) && !it.stuck && !it.cut))

/** Every etcd process that answers agents, but hears no other. */
export const cutOff = (world: World): MemberData[] =>
  dataOf([...machines(world).values()].filter((it) => runs(it) && !it.stuck && it.cut))

/** Starts what the manifests ask for, lets followers catch up, and checks what must always hold. */
export function tick(world: World): void {
  for (const { on, mounted, manifest, disk } of machines(world).values()) {
    if (!on || !mounted || manifest !== 'pod' || disk.data || !disk.stamp) continue
    // `existing` without data: etcd asks the others, and goes on only if they list this id.
    const { clusterId, memberId } = disk.stamp
    const group = groups(running(world)).find((one) => one.clusterId === clusterId)
    if (group?.members.has(memberId)) disk.data = { clusterId, memberId, log: [] }
  }
  for (const group of groups(running(world))) settle(group)
  checkAcknowledged(world)
  checkSeats(world)
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

/** One process a member, and one member a seat. */
function checkSeats(world: World): void {
  const alive = running(world)
  const twice = alive.find((one) => alive.some((other) => other !== one && other.memberId === one.memberId))
  const sameDisk = alive.length !== new Set(alive).size
  if (twice || sameDisk) throw new Error(`member ${(twice ?? alive[0])?.memberId} runs twice`)
  for (const { members, alive: heard } of groups(alive)) {
    const seats = heard.map(({ memberId }) => members.get(memberId)?.seat)
    if (new Set(seats).size !== seats.length) throw new Error(`two members of one seat run: ${seats.join()}`)
  }
}

/** An apiserver beside one of its voters serves. */
export const serving = (world: World, group: Group): boolean =>
  [...machines(world).values()].some(
    ({ on, serves: has, disk }) =>
      on && has && disk.data !== undefined && group.alive.includes(disk.data) && votes(group, disk.data),
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

/** One line a machine, the same for the same end whatever ids were given on the way. */
export function status(world: World): string[] {
  const [group] = groups(running(world))
  const genesis = world.store.genesis?.value
  const head = genesis ? `genesis ${genesis.phase}` : 'no genesis'
  return [
    `${head}; ${group ? 'quorum' : 'no quorum'}`,
    ...[...machines(world)].map(([name, it]) => {
      const { disk, on, last } = it
      const state = world.store.seats.get(it.seat)?.value.member.state ?? 'none'
      const member = runs(it) && disk.data && group?.members.get(disk.data.memberId)
      const alive = member && disk.data && group?.alive.includes(disk.data)
      const kind = alive ? (member.learner ? 'learner' : 'voter') : on ? 'not a member' : 'off'
      return `${name}: ${kind}, recorded ${state}${alive ? '' : `; ${last}`}`
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
    return disk.data !== undefined && serves(group, disk.data) && votes(group, disk.data)
  })
}

/**
 * Whether the disks that are left could be a majority again: then nobody may be left waiting for `recover`.
 * @param counts leaves out disks that are as good as lost.
 */
export function majoritySurvives(world: World, counts: (disk: DiskInWorld) => boolean = () => true): boolean {
  const every = new Set([...machines(world).values()].map(({ disk }) => disk))
  const disks = [...every].flatMap((disk) => (disk.data?.corrupt || !counts(disk) ? [] : (disk.data ?? [])))
  return groups(disks.filter((data) => !removedBy(longest(disks, data.clusterId), data.memberId))).length > 0
}

const longest = (disks: readonly MemberData[], clusterId: string) =>
  disks
    .filter((data) => data.clusterId === clusterId)
    .reduce<MemberData['log']>((best, { log }) => (log.length > best.length ? log : best), [])
