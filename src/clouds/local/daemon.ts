import { randomBytes } from 'node:crypto'
import { HoldfastError, messageOf } from '../../errors.ts'
import { withoutRepeats } from '../../events.ts'
import { restrictStore } from '../../store/access.ts'
import { type StateStore, StoreUnavailableError } from '../../store/store.ts'
import type { CloudStep, EndpointTarget, Inventory } from '../cloud.ts'
import { machineApi } from './api.ts'
import { serveSocket } from './api-server.ts'
import { adopt, adoptLeftAlone } from './daemon-adopt.ts'
import { inventoryOf, listedMachines } from './daemon-inventory.ts'
import { pass } from './daemon-pass.ts'
import { type PowerOptions, power, releaseVolumes } from './daemon-power.ts'
import {
  type DaemonOptions,
  type HeldCluster,
  type Runtime,
  type Serial,
  serial,
  updateCluster,
} from './daemon-state.ts'
import { carryOut, type StepContext } from './daemon-steps.ts'
import { attach, createVolumeFor, observedVolumes } from './daemon-volumes.ts'
import type { LocalMachine } from './parts.ts'
import { localPaths } from './records.ts'
import { suffixFrom } from './records-names.ts'

/** The deciding half of the local cloud. One for each home; `main.ts` runs it as a process. */
export interface Daemon {
  /** Takes over whatever runs, then looks every `pollMs`. */
  start(): Promise<void>
  /** Stops looking and closes the machines' sockets; machines and balancers go on. */
  stop(): Promise<void>
  clusters(): string[]
  observe(cluster: string): Promise<Inventory>
  endpointTargets(cluster: string): Promise<EndpointTarget[]>
  carryOut(cluster: string, step: CloudStep, context: StepContext): Promise<void>
  /** Makes the network's rules again, and takes note where the store is now. */
  refresh(cluster: string, storeUrl: string): Promise<void>
  /** @throws HoldfastError `machine-missing`. */
  machine(id: string): LocalMachine
  power(id: string, action: 'kill' | 'reboot', options?: PowerOptions): Promise<void>
  /** Ends `withholdVolumes`. */
  releaseVolumes(id: string): Promise<void>
  /** Looks once, now; for tests. */
  look(): Promise<void>
}

const defaultPollMs = 250
/** How often records are read again that could not be read. */
const leftAloneEveryMs = 5_000

export function createDaemon(options: DaemonOptions): Daemon {
  const { home, actions } = options
  const clusters = new Map<string, HeldCluster>()
  const steps = new Map<string, Serial>()
  const stores = new Map<string, Promise<StateStore>>()
  let timer: NodeJS.Timeout | undefined
  let looking: Promise<void> | undefined
  let again = false
  let stopped = false
  let nextLeftAlone = 0

  const monotonicNow = options.monotonicNow ?? (() => performance.now())
  const runtime: Runtime = {
    home,
    actions,
    openStore: options.openStore,
    report: withoutRepeats(options.report, monotonicNow),
    now: options.now ?? Date.now,
    monotonicNow,
    randomSuffix: options.randomSuffix ?? (() => suffixFrom(randomBytes(5))),
    clusters,
    leftAlone: new Map(),
    wake: () => {
      setImmediate(() => void look())
    },
  }

  /** Looks at every cluster; asked for while looking, it looks once more afterwards. */
  function look(): Promise<void> {
    if (stopped) return Promise.resolve()
    again = true
    looking ??= (async () => {
      while (again && !stopped) {
        again = false
        if (runtime.leftAlone.size > 0 && monotonicNow() >= nextLeftAlone) {
          nextLeftAlone = monotonicNow() + leftAloneEveryMs
          await adoptLeftAlone(runtime, openSocket).catch((error: unknown) => {
            runtime.report({ type: 'warning', message: messageOf(error) })
          })
        }
        for (const held of [...clusters.values()]) {
          try {
            await pass(runtime, held, openSocket)
          } catch (error) {
            runtime.report({ type: 'warning', message: `${held.name}: ${messageOf(error)}` })
          }
        }
      }
    })().finally(() => {
      looking = undefined
    })
    return looking
  }

  async function openSocket(held: HeldCluster, machineId: string): Promise<void> {
    if (held.sockets.has(machineId)) return
    const paths = localPaths(home)
    const handler = machineApi({
      machines: async () => listedMachines(held),
      volumes: async (seat) =>
        (await observedVolumes(runtime, held)).filter((volume) => volume.seat === seat),
      attach: (volumeId) => attach(runtime, held, machineId, volumeId),
      createVolume: (seat, etcd) => createVolumeFor(runtime, held, machineId, seat, etcd),
      store: () => storeOf(held, machineId),
    })
    const socket = await serveSocket(paths.machineSocketDir(held.name, machineId), paths.socketName, handler)
    held.sockets.set(machineId, socket)
  }

  async function storeOf(held: HeldCluster, machineId: string): Promise<StateStore> {
    const url = held.cluster.storeUrl
    const machine = held.machines.get(machineId)
    if (!url)
      throw new StoreUnavailableError('(unknown)', `nobody told the local cloud where ${held.name}'s is`)
    if (!machine) throw new HoldfastError('machine-missing', `There is no machine ${machineId}`)
    let opening = stores.get(url)
    if (!opening) {
      opening = options.openStore(url)
      stores.set(url, opening)
      opening.catch(() => stores.delete(url))
    }
    let store: StateStore
    try {
      store = await opening
    } catch (error) {
      throw new StoreUnavailableError(url, messageOf(error), error)
    }
    const { role, group, cluster } = machine
    return restrictStore(store, { role, group, cluster, machineId })
  }

  const queueOf = (name: string): Serial => {
    const queue = steps.get(name) ?? serial()
    steps.set(name, queue)
    return queue
  }

  /** @throws why the cluster is left alone: it is not nothing only because nobody can read of it. */
  const find = (name: string): HeldCluster | undefined => {
    if (runtime.leftAlone.has(name)) throw runtime.leftAlone.get(name)
    return clusters.get(name)
  }

  const heldOf = (id: string): HeldCluster => {
    const held = [...clusters.values()].find(({ machines }) => machines.has(id))
    if (held) return held
    throw new HoldfastError('machine-missing', `The local cloud has no machine ${id}`, {
      remedy: '`holdfast get machines` lists those that are there.',
    })
  }

  return {
    async start() {
      await adopt(runtime, openSocket)
      await look()
      // Whoever asks first is told of the machines as they are, not as they were before a reboot.
      await Promise.all([...clusters.values()].map(({ recovery }) => recovery))
      const tick = () => {
        timer = setTimeout(() => {
          void look().finally(() => {
            if (!stopped) tick()
          })
        }, options.pollMs ?? defaultPollMs)
      }
      tick()
    },
    async stop() {
      stopped = true
      clearTimeout(timer)
      const sockets = [...clusters.values()].flatMap((held) => [...held.sockets.values()])
      await Promise.all(sockets.map((socket) => socket.close()))
    },
    clusters: () => [...clusters.keys(), ...runtime.leftAlone.keys()].sort(),
    observe: async (name) => {
      const held = find(name)
      return held ? await inventoryOf(runtime, held) : { groups: [], machines: [], volumes: [] }
    },
    endpointTargets: async (name) => {
      const held = find(name)
      if (!held?.cluster.endpoint) return []
      // While it is being started it does not answer yet: then nobody is up.
      const seen = await actions.balancerState(home, held.cluster).catch(() => undefined)
      return (seen?.servers ?? []).map((server) => ({ name: server.name, up: server.state === 'up' }))
    },
    carryOut: (name, step, context) =>
      queueOf(name)(async () => {
        find(name)
        await carryOut(runtime, name, step, context)
      }),
    refresh: (name, storeUrl) =>
      queueOf(name)(async () => {
        const held = find(name)
        if (!held) return
        if (held.cluster.storeUrl !== storeUrl)
          await updateCluster(home, held, (cluster) => ({ ...cluster, storeUrl }))
        await actions.ensureRules(home, held.cluster)
      }),
    machine: (id) => heldOf(id).machines.get(id) as LocalMachine,
    power: (id, action, powerOptions) => power(runtime, heldOf(id), id, action, powerOptions),
    releaseVolumes: (id) => releaseVolumes(runtime, heldOf(id), id),
    look,
  }
}
