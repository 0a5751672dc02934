import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import packageJson from '../../../package.json' with { type: 'json' }
import type { CloudStep } from '../../../src/clouds/cloud.ts'
import { operatorApi } from '../../../src/clouds/local/api-operator.ts'
import { serveSocket } from '../../../src/clouds/local/api-server.ts'
import { type LocalCloud, openLocalCloud } from '../../../src/clouds/local/cloud.ts'
import { createDaemon, type Daemon } from '../../../src/clouds/local/daemon.ts'
import type { LocalActions } from '../../../src/clouds/local/daemon-actions.ts'
import type { MachineAssets } from '../../../src/clouds/local/parts.ts'
import { localPaths, makePrivateFolder } from '../../../src/clouds/local/records.ts'
import { localSurroundings } from '../../../src/clouds/local/surroundings-client.ts'
import type { Surroundings } from '../../../src/clouds/surroundings.ts'
import type { Home } from '../../../src/home.ts'
import { openStore } from '../../../src/store/open.ts'
import type { StateStore } from '../../../src/store/store.ts'
import { imagineWorld, type World } from './world.ts'

/** A home in a temporary folder, an imagined host, and daemons on it that can be killed and started. */
export interface Bench {
  home: Home
  world: World
  cloud: LocalCloud
  reports: string[]
  /** Starts a daemon and serves its operator API. */
  start(options?: {
    actions?: LocalActions
    openStore?: (url: string) => Promise<StateStore>
  }): Promise<Daemon>
  /** As `kill -9`: it does nothing any more, nothing is put in order. */
  kill(): Promise<void>
  surroundings(machineId: string): Surroundings
  /** What tests may move: time itself, and by how much the host's clock was set otherwise than that. */
  clock: { now: number; setBy: number }
  close(): Promise<void>
}

export function setUpBench(): Bench {
  // In memory where possible: every record is synced, which a busy disk makes slow.
  const dir = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'hf-cloud-'))
  const home: Home = { dir, cache: join(dir, 'cache'), prefix: 'hf-000000', storeUrl: `file://${dir}/store` }
  const world = imagineWorld()
  const paths = localPaths(home)
  const reports: string[] = []
  const began = performance.now()
  const clock = { now: Date.parse('2030-01-01T00:00:00Z'), setBy: 0 }
  let stopServing: (() => Promise<void>)[] = []
  const bench: Bench = {
    home,
    world,
    reports,
    clock,
    cloud: openLocalCloud({ home, storeUrl: home.storeUrl, assets: async () => assetsIn(dir) }),
    async start(options = {}) {
      await makePrivateFolder(paths.root)
      const daemon = createDaemon({
        home,
        actions: options.actions ?? world.actions(),
        openStore: options.openStore ?? openStore,
        report: (event) => {
          if (event.type === 'note' || event.type === 'warning') reports.push(event.message)
        },
        now: () => clock.now + clock.setBy,
        // It goes on by itself as well, so that what failed is tried again.
        monotonicNow: () => clock.now + performance.now() - began,
        pollMs: 5,
      })
      stopServing.push(() => daemon.stop())
      await daemon.start()
      const handler = operatorApi({ daemon, version: packageJson.version, stop: () => false, used: () => {} })
      const socket = await serveSocket(paths.root, paths.socketName, handler)
      stopServing.push(() => socket.close())
      return daemon
    },
    async kill() {
      for (const stop of stopServing.reverse()) await stop()
      stopServing = []
    },
    surroundings: (machineId) => {
      const cluster = world.machines.get(machineId)?.cluster ?? 'c'
      const socketPath = join(paths.machineSocketDir(cluster, machineId), paths.socketName)
      return localSurroundings({ socketPath, connectTimeoutMs: 500, answerTimeoutMs: 2_000 })
    },
    async close() {
      await bench.kill()
      rmSync(dir, { recursive: true, force: true })
    },
  }
  return bench
}

const assetsIn = (dir: string): MachineAssets => ({
  machineRoot: dir,
  binDir: dir,
  cniDir: dir,
  containerdTemplate: dir,
  nodeBinary: dir,
  agentBundle: dir,
  agentSha256: 'none',
})

type WithoutWhere<T> = T extends unknown ? Omit<T, 'where' | 'reason'> : never

/** A step without its words for people. */
export const step = (change: WithoutWhere<CloudStep>): CloudStep =>
  ({ where: 'here', reason: 'a test asks for it', ...change }) as CloudStep

export const network = step({ action: 'create-network', egress: 'none' })
export const endpoint = step({ action: 'create-endpoint', port: 6443 })

export const group = (name: string, role: 'master' | 'node', zones: string[], size: number): CloudStep =>
  step({
    action: 'set-group',
    group: { name, role, zones, size },
    userData: { cluster: 'c', group: name, role, kubernetesVersion: '1.36.3', agentSha256: 'none' },
  })

export const volume = (seat: string, etcd: 'main' | 'events', zone: string): CloudStep =>
  step({ action: 'create-volume', volume: { seat, etcd, zone, sizeGib: 1 } })

/** Asks again until it holds; at most six seconds. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 6_000
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`not within 6 s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
