import { mkdir, readFile, readlink, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { LocalCluster } from '../clouds/local/parts.ts'
import {
  allPids,
  commandLine,
  identityOf,
  isRunning,
  killProcess,
  type ProcessIdentity,
  spawnDetached,
  waitFor,
} from '../clouds/local/process.ts'
import { withHostLock } from '../clouds/local/process-lock.ts'
import { localPaths } from '../clouds/local/records.ts'
import { ports } from '../constants.ts'
import { writeDurably } from '../durable-file.ts'
import { HoldfastError, messageOf } from '../errors.ts'
import type { Home } from '../home.ts'
import { type SlotState, slotStates } from './haproxy-admin.ts'
import { ensureHaproxyRoot, haproxyBinary, haproxySource } from './haproxy-root.ts'
import {
  applyTargets,
  closeSessions,
  command,
  drainTimeoutMs,
  readSlots,
  setServer,
  untilIdle,
} from './haproxy-targets.ts'
import { assignSlots, type BalancerTarget, renderHaproxy, type SlotTable, slots } from './render.ts'

/** Nobody's, on Debian and elsewhere: HAProxy needs no right at all once it listens. */
const unprivilegedId = 65534
const startTimeoutMs = 5_000
const adminSocket = '/run/admin.sock'

export interface BalancerServer extends BalancerTarget, Omit<SlotState, 'address'> {}

export interface BalancerState {
  process: ProcessIdentity
  /** Names of the targets that connections may go to once they are ready. */
  targets: string[]
  servers: BalancerServer[]
}

function foldersOf(home: Home, cluster: Pick<LocalCluster, 'name'>) {
  const dir = join(localPaths(home).cluster(cluster.name), 'balancer')
  const root = join(dir, 'root')
  return {
    dir,
    root,
    config: join(root, 'etc/haproxy.cfg'),
    slots: join(dir, 'slots.json'),
    log: join(dir, 'haproxy.log'),
    socket: join(root, adminSocket),
  }
}

/**
 * Starts the balancer on the cluster's endpoint where it does not run, with these targets. It runs
 * in a root of its own, in its own session, and outlives this process. Idempotent. One that another
 * version of Holdfast started with another configuration is replaced.
 * @throws HoldfastError `endpoint-missing`, `haproxy-missing`, `balancer-not-started`, `balancer-not-stopped`.
 */
export async function ensureBalancer(
  home: Home,
  cluster: LocalCluster,
  targets: readonly BalancerTarget[],
  options: { machineRoot?: string } = {},
): Promise<void> {
  const folders = foldersOf(home, cluster)
  const { endpoint } = cluster
  if (!endpoint)
    throw new HoldfastError('endpoint-missing', `The cluster ${cluster.name} has no endpoint yet`)
  await withHostLock(lockName(home, cluster), async () => {
    const running = await findBalancer(folders.root)
    const config = (slots: SlotTable) =>
      renderHaproxy({
        endpoint,
        apiserverPort: ports.apiserver,
        slots,
        adminSocket,
        uid: unprivilegedId,
        gid: unprivilegedId,
      })
    if (running) {
      const before = await readFile(folders.config, 'utf8').catch(() => '')
      if (withoutServers(before) === withoutServers(config({}))) return applyTargets(folders, targets)
      // Another version of Holdfast started it: one that was never told of a backend cannot be told its servers.
      await endBalancer(cluster, running)
    }
    const named = [
      options.machineRoot,
      ...Object.values(cluster.groups).map((group) => group.assets?.machineRoot),
    ]
    await mkdir(folders.dir, { recursive: true, mode: 0o700 })
    await ensureHaproxyRoot(
      folders.root,
      await haproxySource(
        named.filter((root) => root !== undefined),
        home.cache,
      ),
    )
    const table = assignSlots(await readSlots(folders.slots), targets)
    await writeDurably(folders.slots, JSON.stringify(table))
    await writeDurably(folders.config, config(table))
    await rm(folders.socket, { force: true })
    const started = await spawnDetached({
      name: `${home.prefix}-${cluster.index}-balancer`,
      command: ['chroot', folders.root, haproxyBinary, '-db', '-f', '/etc/haproxy.cfg'],
      logFile: folders.log,
    })
    await untilAnswers(started, folders)
  })
}

const withoutServers = (config: string): string => config.replaceAll(/^ {2}server .*\n/gm, '')

async function untilAnswers(started: ProcessIdentity, folders: ReturnType<typeof foldersOf>): Promise<void> {
  let last = 'no admin socket'
  const end = await waitFor(async () => {
    if (!(await isRunning(started))) return 'ended' as const
    return slotStates(folders.socket).then(
      () => 'answers' as const,
      (error: unknown) => {
        last = messageOf(error)
        return undefined
      },
    )
  }, startTimeoutMs)
  if (end === 'answers') return
  await killProcess(started)
  const log = (await readFile(folders.log, 'utf8').catch(() => '')).trim().slice(-1000)
  throw new HoldfastError(
    'balancer-not-started',
    `HAProxy did not start: ${end === 'ended' ? 'it ended' : last}\n${log}`,
    {
      remedy: `See ${folders.log}. Does another process listen on the endpoint's address and port?`,
    },
  )
}

/**
 * Makes exactly these the targets, without a reload: connections through the others go on. A new
 * one gets connections only after its checks passed; one that goes is drained for a second first.
 * @throws HoldfastError `balancer-not-running`.
 */
export async function setTargets(
  home: Home,
  cluster: LocalCluster,
  targets: readonly BalancerTarget[],
): Promise<void> {
  const folders = foldersOf(home, cluster)
  await withHostLock(lockName(home, cluster), async () => {
    await runningIn(folders.root, cluster)
    await applyTargets(folders, targets)
  })
}

/**
 * No new connection goes to this target; returns how many are still there when none is left or
 * `timeoutMs` is over. `setTargets` with it brings it back.
 */
export async function drainTarget(
  home: Home,
  cluster: LocalCluster,
  name: string,
  timeoutMs = drainTimeoutMs,
): Promise<number> {
  const folders = foldersOf(home, cluster)
  await runningIn(folders.root, cluster)
  const table = await readSlots(folders.slots)
  const slot = slots.find((each) => table[each]?.name === name)
  if (!slot) return 0
  await command(folders.socket, setServer(slot, 'state drain'))
  return untilIdle(folders.socket, [slot], timeoutMs)
}

/**
 * Closes the connections through targets whose checks have failed for a while (an apiserver that
 * hangs on a living machine), so that their clients go elsewhere at once: where there is an elsewhere.
 * Cheap; for a loop.
 * @throws where the balancer does not run.
 */
export async function closeDeadSessions(home: Home, cluster: LocalCluster): Promise<void> {
  const { socket } = foldersOf(home, cluster)
  const states = await slotStates(socket)
  if (!states.some(({ state }) => state === 'up')) return
  const dead = states.filter(
    ({ state, sessions, sinceSeconds }) => state === 'down' && sessions > 0 && sinceSeconds >= 1,
  )
  await closeSessions(socket, dead)
}

/** undefined while it does not run. */
export async function balancerState(home: Home, cluster: LocalCluster): Promise<BalancerState | undefined> {
  const folders = foldersOf(home, cluster)
  const process = await findBalancer(folders.root)
  if (!process) return undefined
  const table = await readSlots(folders.slots)
  const servers = (await slotStates(folders.socket)).flatMap((state): BalancerServer[] => {
    const target = table[state.slot]
    return target && target.address === state.address && state.state !== 'maint'
      ? [{ ...state, ...target }]
      : []
  })
  return {
    process,
    targets: servers.filter(({ state }) => state !== 'drain').map(({ name }) => name),
    servers,
  }
}

/** Ends it and removes its folder. Idempotent. */
export async function stopBalancer(home: Home, cluster: LocalCluster): Promise<void> {
  const folders = foldersOf(home, cluster)
  await withHostLock(lockName(home, cluster), async () => {
    const running = await findBalancer(folders.root)
    if (running) await endBalancer(cluster, running)
    await rm(folders.dir, { recursive: true, force: true })
  })
}

async function endBalancer(cluster: Pick<LocalCluster, 'name'>, running: ProcessIdentity): Promise<void> {
  if (await killProcess(running)) return
  throw new HoldfastError(
    'balancer-not-stopped',
    `HAProxy of ${cluster.name} (process ${running.pid}) does not end`,
  )
}

async function runningIn(root: string, cluster: Pick<LocalCluster, 'name'>): Promise<ProcessIdentity> {
  const running = await findBalancer(root)
  if (running) return running
  throw new HoldfastError('balancer-not-running', `The balancer of ${cluster.name} does not run`, {
    remedy: 'The local cloud starts it again by itself within seconds.',
  })
}

/** Found by the root it runs in, which the kernel knows: no file can be wrong about it. */
async function findBalancer(root: string): Promise<ProcessIdentity | undefined> {
  for (const pid of await allPids()) {
    const words = await commandLine(pid)
    if (!words.includes(haproxyBinary)) continue
    const inside = await readlink(`/proc/${pid}/root`).catch(() => '')
    if (inside !== root && !inside.startsWith(`${root}/`) && words[1] !== root) continue
    const identity = await identityOf(pid)
    if (identity) return identity
  }
  return undefined
}

const lockName = (home: Pick<Home, 'prefix'>, cluster: Pick<LocalCluster, 'index'>) =>
  `${home.prefix}/balancer/${cluster.index}`
