import { isDeepStrictEqual } from 'node:util'
import type { LocalActions } from '../../../src/clouds/local/daemon-actions.ts'
import type { LocalMachine, MachineAssets } from '../../../src/clouds/local/parts.ts'
import type { ProcessIdentity } from '../../../src/clouds/local/process.ts'
import type { Identity } from '../../../src/clouds/surroundings.ts'
import { HoldfastError } from '../../../src/errors.ts'

/**
 * An imagined host: machines, bridges, volumes and balancers as plain objects, which outlive any
 * daemon. It refuses what a real host would refuse and checks what must never happen.
 */
export interface World {
  machines: Map<string, ImaginedMachine>
  bridges: Set<string>
  /** Clusters whose network has the rules that it needs. */
  rules: Set<string>
  /** Volume id to the machine that has it. */
  volumes: Map<string, string | undefined>
  /** Volumes that are marked for deletion. */
  condemned: Set<string>
  balancers: Map<string, { pid: number; targets: string[]; addresses: string[] }>
  /** What was done, in order. */
  log: string[]
  /** How often somebody looked for sessions through dead masters. */
  sessionLooks: number
  /** Why each such look fails. */
  sessionsFault: string | undefined
  /** Broken rules; empty in a right world. */
  violations: string[]
  /** Makes the next starts fail. */
  failStarts: number
  /** Pulls the plug behind the daemon's back. */
  powerCut(id: string): void
  /** Every process, bridge and balancer gone, disks kept. */
  rebootHost(): void
  /**
   * Actions for one daemon. From the given call on, counted from one, it hangs for ever before or
   * after it acts: so a killed daemon looks to the world.
   */
  actions(killed?: {
    atCall: number
    when: 'before' | 'after'
  }): LocalActions & { calls(): number; hung: Promise<void> }
}

interface ImaginedMachine {
  cluster: string
  group: string
  role: string
  running: boolean
  /** On its bridge. */
  linked: boolean
  process: ProcessIdentity
  /** Boots of this disk. */
  boots: number
  identity: Identity
  assets: MachineAssets
}

export function imagineWorld(): World {
  let nextPid = 1000
  const process = () => ({ pid: nextPid++, startTime: String(nextPid), boot: 'this' })
  const world: World = {
    machines: new Map(),
    bridges: new Set(),
    rules: new Set(),
    volumes: new Map(),
    condemned: new Set(),
    balancers: new Map(),
    log: [],
    sessionLooks: 0,
    sessionsFault: undefined,
    violations: [],
    failStarts: 0,
    powerCut: (id) => stop(id),
    rebootHost: () => {
      for (const id of world.machines.keys()) stop(id)
      world.bridges.clear()
      world.rules.clear()
      world.balancers.clear()
    },
    actions: (killed) => limited(killed),
  }
  const stop = (id: string) => {
    const machine = world.machines.get(id)
    if (machine) machine.running = false
    for (const [volume, holder] of world.volumes) if (holder === id) world.volumes.set(volume, undefined)
  }
  const runs = (machine: LocalMachine) => {
    const found = world.machines.get(machine.id)
    return found?.running === true && isDeepStrictEqual(found.process, machine.process)
  }

  const actions: LocalActions = {
    async ensureNetwork(_home, cluster, { cidr = `10.${cluster.index}.0.0/24`, egress }) {
      world.bridges.add(cluster.name)
      world.rules.add(cluster.name)
      return { cidr, gateway: cidr.replace(/0\/24$/, '1'), device: `bridge-${cluster.index}`, egress }
    },
    async ensureRules(_home, cluster) {
      if (world.bridges.has(cluster.name)) world.rules.add(cluster.name)
    },
    async deleteNetwork(_home, cluster) {
      world.rules.delete(cluster.name)
      world.bridges.delete(cluster.name)
    },
    networkExists: async (_home, cluster) => world.bridges.has(cluster.name),
    async startMachine(_home, machine, identity, assets) {
      if (world.failStarts > 0) {
        world.failStarts--
        throw new HoldfastError('machine-not-started', 'no space is left')
      }
      const there = world.machines.get(machine.id)
      if (there?.running) return there.process
      if (!world.bridges.has(machine.cluster)) throw new HoldfastError('network-missing', 'no bridge')
      const others = [...world.machines.values()].filter(
        (one) => one.running && one.cluster === machine.cluster && one.group === machine.group,
      )
      if (machine.role === 'master' && others.length > 0) {
        world.violations.push(`${machine.id} started while another master of its group runs`)
      }
      const addresses = [...world.machines.values()]
        .filter((one) => one.running)
        .map((one) => one.identity.address)
      if (addresses.includes(machine.address)) world.violations.push(`${machine.address} is used twice`)
      const { cluster, group, role } = machine
      const boots = (there?.boots ?? 0) + 1
      const made = {
        cluster,
        group,
        role,
        running: true,
        linked: true,
        process: process(),
        boots,
        identity,
        assets,
      }
      world.machines.set(machine.id, made)
      world.log.push(`start ${machine.id}`)
      return made.process
    },
    async joinNetwork(_home, machine) {
      const there = world.machines.get(machine.id)
      if (there) there.linked = true
    },
    isAlive: (machine) => runs(machine),
    isRunning: ({ pid }) => [...world.balancers.values()].some((balancer) => balancer.pid === pid),
    async killMachine(_home, machine) {
      if (world.machines.get(machine.id)?.running) world.log.push(`kill ${machine.id}`)
      stop(machine.id)
    },
    async removeMachine(_home, machine) {
      if (world.machines.get(machine.id)?.running) throw new HoldfastError('machine-alive', 'still runs')
      world.machines.delete(machine.id)
      world.log.push(`remove ${machine.id}`)
    },
    findMachines: async () =>
      [...world.machines].flatMap(([id, { running, cluster, process: found }]) =>
        running ? [{ cluster, id, process: found }] : [],
      ),
    async createVolume(_home, volume) {
      if (world.volumes.has(volume.id)) world.violations.push(`${volume.id} was made twice`)
      world.volumes.set(volume.id, undefined)
    },
    async attachVolume(_home, volume, machine) {
      // As on a real host, this takes a moment in which others may ask.
      await new Promise((resolve) => setTimeout(resolve, 1))
      if (!world.machines.get(machine.id)?.running) throw new HoldfastError('machine-not-running', machine.id)
      if (!world.volumes.has(volume.id)) throw new HoldfastError('volume-missing', volume.id)
      const holder = world.volumes.get(volume.id)
      if (holder !== undefined && holder !== machine.id)
        world.violations.push(`${volume.id} has two machines`)
      world.volumes.set(volume.id, machine.id)
      return { device: `/dev/holdfast-${volume.id}` }
    },
    async attachments(_home, cluster, machines) {
      const here = new Set(machines.filter((one) => one.cluster === cluster).map(({ id }) => id))
      return new Map(
        [...world.volumes].flatMap(([id, holder]) =>
          holder !== undefined && here.has(holder) ? [[id, holder]] : [],
        ),
      )
    },
    hasData: async (_home, volume) => world.volumes.has(volume.id),
    async condemnVolume(_home, volume) {
      if (world.volumes.delete(volume.id)) world.condemned.add(volume.id)
    },
    async deleteVolume(_home, volume) {
      if (world.volumes.has(volume.id)) world.violations.push(`${volume.id} is deleted without a mark`)
      world.condemned.delete(volume.id)
    },
    async sweepVolumes() {
      world.condemned.clear()
      return []
    },
    async ensureBalancer(_home, cluster, targets) {
      const there = world.balancers.get(cluster.name)
      world.balancers.set(cluster.name, {
        pid: there?.pid ?? nextPid++,
        targets: targets.map(({ name }) => name),
        addresses: targets.map(({ address }) => address),
      })
    },
    async setTargets(_home, cluster, targets) {
      const there = world.balancers.get(cluster.name)
      if (!there) throw new HoldfastError('balancer-not-running', cluster.name)
      there.targets = targets.map(({ name }) => name)
      there.addresses = targets.map(({ address }) => address)
      world.log.push(`balance ${there.targets.join(' ') || '-'}`)
    },
    async balancerState(_home, cluster) {
      const there = world.balancers.get(cluster.name)
      if (!there) return undefined
      const servers = there.targets.map((name) => ({
        name,
        state: world.machines.get(name)?.running ? 'up' : 'down',
      }))
      return { process: { pid: there.pid, startTime: '1', boot: 'this' }, targets: there.targets, servers }
    },
    async closeDeadSessions() {
      world.sessionLooks += 1
      if (world.sessionsFault) throw new Error(world.sessionsFault)
    },
    async stopBalancer(_home, cluster) {
      world.balancers.delete(cluster.name)
    },
  }

  /** Only what changes the world counts and hangs: a look is over at once. */
  function limited(killed?: { atCall: number; when: 'before' | 'after' }) {
    let calls = 0
    let tell = () => {}
    const hung = new Promise<void>((resolve) => {
      tell = resolve
    })
    const forEver = () => {
      tell()
      return new Promise<never>(() => {})
    }
    const acting = [
      'ensureNetwork',
      'ensureRules',
      'deleteNetwork',
      'startMachine',
      'joinNetwork',
      'killMachine',
      'removeMachine',
      'createVolume',
      'attachVolume',
      'condemnVolume',
      'deleteVolume',
      'ensureBalancer',
      'setTargets',
      'stopBalancer',
    ]
    const wrapped = Object.fromEntries(
      Object.entries(actions).map(([name, action]) => {
        if (!acting.includes(name)) return [name, action]
        const limitedAction = async (...args: unknown[]) => {
          const call = ++calls
          if (killed && (call > killed.atCall || (call === killed.atCall && killed.when === 'before'))) {
            return await forEver()
          }
          const result: unknown = await (action as (...all: unknown[]) => Promise<unknown>)(...args)
          return killed && call >= killed.atCall ? await forEver() : result
        }
        return [name, limitedAction]
      }),
    ) as unknown as LocalActions
    return { ...wrapped, calls: () => calls, hung }
  }
  return world
}
