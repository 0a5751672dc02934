import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Cloud, CloudStep, Inventory } from '../../src/clouds/cloud.ts'
import type { LocalCloud } from '../../src/clouds/local/cloud.ts'
import type { MachineAssets } from '../../src/clouds/local/parts.ts'
import type { ProgressEvent } from '../../src/events.ts'
import { resolveHome } from '../../src/home.ts'
import type { Operation } from '../../src/operations/operation.ts'
import { ensureClusterPki } from '../../src/pki/cluster-pki.ts'
import { declarationFromFlags } from '../../src/spec/flags.ts'
import type { Declaration } from '../../src/spec/types.ts'
import { openMemoryStore } from '../../src/store/memory.ts'

/** A cloud that does at once what it is told, and can be made to fail. */
export interface InstantCloud extends Cloud {
  readonly done: CloudStep[]
  /** Clusters whose network was looked after, once for each time. */
  readonly refreshed: string[]
  inventory: Inventory
  /** Called before each step; what it throws is what the step ends with. */
  before: (step: CloudStep, index: number) => void | Promise<void>
}

export function instantCloud(): InstantCloud {
  const done: CloudStep[] = []
  const cloud: InstantCloud = {
    kind: 'local',
    done,
    refreshed: [],
    inventory: { groups: [], machines: [], volumes: [] },
    before: () => {},
    check: async () => [],
    observe: async () => structuredClone(cloud.inventory),
    clusters: async () => (cloud.inventory.network ? ['try'] : []),
    async carryOut(_, step) {
      await cloud.before(step, done.length)
      done.push(step)
      change(cloud.inventory, step)
    },
    refreshNetwork: async (cluster) => {
      cloud.refreshed.push(cluster)
    },
    host: () => Promise.reject(new Error('no machine is real here')),
    power: async () => {},
  }
  return cloud
}

function change(inventory: Inventory, step: CloudStep): void {
  switch (step.action) {
    case 'create-network':
      inventory.network = { cidr: '10.9.0.0/24', gateway: '10.9.0.1', device: 'hf-test' }
      break
    case 'create-endpoint':
      inventory.endpoint = { address: '10.9.0.1', port: step.port }
      break
    case 'create-volume':
      inventory.volumes.push({ id: `${step.volume.seat}-${step.volume.etcd}`, ...step.volume })
      break
    case 'set-group':
      inventory.groups = [...inventory.groups.filter(({ name }) => name !== step.group.name), step.group]
      break
    case 'delete-group':
      inventory.groups = inventory.groups.filter(({ name }) => name !== step.group)
      break
    case 'delete-volume':
      inventory.volumes = inventory.volumes.filter(({ id }) => id !== step.volume)
      break
    case 'delete-endpoint':
      delete inventory.endpoint
      break
    case 'delete-network':
      delete inventory.network
      break
    case 'terminate-machine':
      inventory.machines = inventory.machines.filter(({ id }) => id !== step.machine)
  }
}

export interface TestOperation {
  operation: Operation
  cloud: InstantCloud
  events: ProgressEvent[]
  notes(): string[]
  stop: AbortController
  /** As another command on the same home would have it. */
  another(): Operation
  remove(): void
}

/** An operation on a store in memory and an instant cloud. */
export function testOperation(): TestOperation {
  const base = mkdtempSync(join(tmpdir(), `holdfast-test-${process.pid}-`))
  const home = resolveHome({ HOLDFAST_HOME: join(base, 'home'), HOLDFAST_CACHE: join(base, 'cache') })
  const cloud = instantCloud()
  const events: ProgressEvent[] = []
  const stop = new AbortController()
  const store = openMemoryStore()
  const open = (): Operation => ({
    home,
    store,
    report: (event) => events.push(event),
    stop: stop.signal,
    kubeconfig: { files: [join(base, 'kubeconfig')] },
    cloud: async () => cloud,
    localCloud: () => Promise.reject<LocalCloud>(new Error('no local cloud here')),
    agent: async () => ({ path: '/nowhere', sha256: 'a'.repeat(64) }),
    assets: async (): Promise<MachineAssets> => ({
      machineRoot: '/nowhere',
      binDir: '/nowhere',
      cniDir: '/nowhere',
      containerdTemplate: '/nowhere',
      nodeBinary: '/nowhere',
      agentBundle: '/nowhere',
      agentSha256: 'a'.repeat(64),
    }),
  })
  return {
    operation: open(),
    cloud,
    events,
    notes: () => events.flatMap((event) => (event.type === 'note' ? [event.message] : [])),
    stop,
    another: open,
    remove: () => rmSync(base, { recursive: true, force: true }),
  }
}

export function declare(flags: Parameters<typeof declarationFromFlags>[0] = {}): Declaration {
  const { declaration, errors } = declarationFromFlags({ name: 'try', cloud: 'local', ...flags })
  if (!declaration) throw new Error(errors.map((problem) => problem.message).join('; '))
  return declaration
}

/** Making keys takes longer than all the rest: they are made once, and every test gets a copy. */
const authorities = openMemoryStore()
let made: Promise<unknown> | undefined

export async function givePki(operation: Operation): Promise<void> {
  made ??= ensureClusterPki(authorities, 'try')
  await made
  for (const key of await authorities.list('try/')) {
    await operation.store.put(key, (await authorities.get(key))?.value ?? '')
  }
}
