import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { HoldfastError } from '../../errors.ts'
import type { Home } from '../../home.ts'
import type { Host } from '../../hosts/host.ts'
import { keys } from '../../store/keys.ts'
import type { StateStore } from '../../store/store.ts'
import type { Cloud, EndpointTarget, Inventory } from '../cloud.ts'
import type { DaemonStatus, PowerRequest, StepRequest } from './api-operator.ts'
import { daemonClient } from './client.ts'
import { rangeProblems } from './cloud-check.ts'
import type { PowerOptions } from './daemon-power.ts'
import type { LocalMachine, MachineAssets } from './parts.ts'
import type { HostProbes } from './preflight.ts'
import { clusterNames, localPaths, readCluster, readClusterRecord } from './records.ts'
import type { HostRoute } from './routes.ts'

export interface LocalCloudOptions {
  home: Home
  /** The machines ask the local cloud for the store, so it must know where it is. */
  storeUrl: string
  /** Asked once, when the first group is set. */
  assets: () => Promise<MachineAssets>
  probes?: HostProbes & { hostRoutes?: () => Promise<HostRoute[]> }
}

/** The contract, and what tests and drills need besides. */
export interface LocalCloud extends Cloud {
  readonly kind: 'local'
  power(machineId: string, action: 'kill' | 'reboot', options?: PowerOptions): Promise<void>
  /** Ends what `withholdVolumes` began. */
  releaseVolumes(machineId: string): Promise<void>
  /** What is remembered of a machine, its process on this host included. */
  machine(machineId: string): Promise<LocalMachine>
  /** The local cloud's process; undefined when it does not run. Starts nothing. */
  status(): Promise<DaemonStatus | undefined>
  /** Ends that process; machines and balancer go on. */
  stopProcess(): Promise<void>
}

/** The operator's side of the local cloud; its process is started when something needs it. */
export function openLocalCloud({ home, storeUrl, assets, probes = {} }: LocalCloudOptions): LocalCloud {
  const client = daemonClient(home)
  const at = (kind: 'clusters' | 'machines', name: string, verb = '') =>
    `/${kind}/${encodeURIComponent(name)}${verb ? `/${verb}` : ''}`
  const machine = (id: string) => client.ask<LocalMachine>('GET', at('machines', id))
  let resolved: Promise<MachineAssets> | undefined
  const observe = async (cluster: string): Promise<Inventory> => {
    await refuseOthers(home, cluster, storeUrl)
    // Looking at nothing starts no process.
    if (!existsSync(localPaths(home).cluster(cluster))) return { groups: [], machines: [], volumes: [] }
    return await client.ask<Inventory>('GET', at('clusters', cluster))
  }
  return {
    kind: 'local',
    async check(declaration) {
      const { metadata, spec } = declaration.cluster
      const { name } = metadata
      await refuseOthers(home, name, storeUrl)
      const [{ preflight }, { wantedBy }, { hostRoutes }, records, inventory] = await Promise.all([
        import('./preflight.ts'),
        import('./preflight-rules.ts'),
        import('./routes.ts'),
        readCluster(home, name),
        // What keeps the local cloud from starting may be among the problems.
        observe(name).catch(() => ({ groups: [], machines: [], volumes: [] })),
      ])
      const wanted = wantedBy(declaration, inventory)
      const problems = await preflight(home, spec.kubernetesVersion, wanted, probes)
      // Without the tools there is no telling the routes; those problems come first anyway.
      const refused = problems.some(({ severity }) => severity === 'error')
      const routes = refused ? [] : await (probes.hostRoutes ?? hostRoutes)()
      return [...problems, ...rangeProblems(declaration, routes, records?.cluster.network?.device)]
    },
    observe,
    async clusters() {
      return (await clusterNames(home)).length === 0 ? [] : await client.ask<string[]>('GET', '/clusters')
    },
    async carryOut(cluster, step) {
      const deletes = step.action.startsWith('delete-')
      if (deletes && !existsSync(localPaths(home).cluster(cluster))) return
      if (step.action === 'create-network') await recordHome(home, cluster, storeUrl)
      if (step.action === 'set-group') resolved ??= assets()
      const used = step.action === 'set-group' ? await resolved : undefined
      const body: StepRequest = { step, context: { storeUrl, ...(used ? { assets: used } : {}) } }
      try {
        await client.ask('POST', at('clusters', cluster, 'steps'), body)
      } finally {
        // A network that could not be made, or was the last: then there is nothing to look after.
        const mayBeLast = deletes || step.action === 'create-network'
        if (mayBeLast && (await clusterNames(home)).length === 0) await client.stop({ ifEmpty: true })
      }
    },
    async refreshNetwork(cluster) {
      if (!existsSync(localPaths(home).cluster(cluster))) return
      await recordHome(home, cluster, storeUrl)
      await client.ask('POST', at('clusters', cluster, 'refresh-network'), { storeUrl })
    },
    async host(machineId): Promise<Host> {
      const [{ nspawnHost }, { initPid }] = await Promise.all([
        import('../../hosts/nspawn.ts'),
        import('./machine.ts'),
      ])
      await machine(machineId)
      return nspawnHost(machineId, async () => await initPid(await machine(machineId)))
    },
    async power(machineId, action, options) {
      const body: PowerRequest = { action, options: { request: randomUUID(), ...options } }
      // Asked beforehand: after a kill whose answer was lost there may be no such machine any more.
      await machine(machineId)
      try {
        await client.ask('POST', at('machines', machineId, 'power'), body)
      } catch (error) {
        const killed = action === 'kill' && error instanceof HoldfastError && error.code === 'machine-missing'
        if (!killed) throw error
      }
    },
    async endpointTargets(cluster) {
      if (!existsSync(localPaths(home).cluster(cluster))) return []
      return await client.ask<EndpointTarget[]>('GET', at('clusters', cluster, 'endpoint-targets'))
    },
    async releaseVolumes(machineId) {
      await client.ask('POST', at('machines', machineId, 'release-volumes'), {})
    },
    machine,
    status: client.status,
    stopProcess: () => client.stop(),
  }
}

/** @throws HoldfastError `other-home`, `other-store`: this home has nothing of the cluster that this store declares. */
async function refuseOthers(home: Home, cluster: string, storeUrl: string): Promise<void> {
  const { openStore } = await import('../../store/open.ts')
  const recorded = await readClusterRecord(home, cluster).catch(() => undefined)
  if (recorded?.storeUrl === storeUrl) return
  await refuseOtherHome(home, cluster, await openStore(storeUrl))
  if (recorded?.storeUrl) await refuseOtherStore(cluster, recorded.storeUrl, storeUrl)
}

/**
 * A name in two stores is two clusters, and this host can have one of them. Where the other store no longer declares
 * it (it was moved, or is gone), the machines are this one's.
 */
async function refuseOtherStore(cluster: string, other: string, storeUrl: string): Promise<void> {
  const { openStore } = await import('../../store/open.ts')
  const store = await openStore(other)
  if (!(await store.get(keys.clusterSpec(cluster)))) return
  throw new HoldfastError(
    'other-store',
    `The machines of ${cluster} on this host belong to the cluster of that name in ${other}, not in ${storeUrl}`,
    {
      remedy: `Name that store with \`--state ${other}\`. What is declared in this one can be removed alone: \`holdfast delete cluster ${cluster} --yes --state ${storeUrl}\`.`,
      exitCode: 2,
    },
  )
}

/** Which home has the machines of this store's cluster, for the others. */
async function recordHome(home: Home, cluster: string, storeUrl: string): Promise<void> {
  const { openStore } = await import('../../store/open.ts')
  const store = await openStore(storeUrl)
  const record = `${JSON.stringify({ home: home.dir })}\n`
  if ((await store.get(keys.localHome(cluster)))?.value !== record)
    await store.put(keys.localHome(cluster), record)
}

/**
 * Each home knows its own machines only: from another one those of this store's cluster would look dead. A home
 * that was removed, or that has nothing of the cluster any more, stands in nobody's way.
 */
async function refuseOtherHome(home: Home, cluster: string, store: StateStore): Promise<void> {
  const stored = await store.get(keys.localHome(cluster))
  if (!stored) return
  const { home: other } = JSON.parse(stored.value) as { home: string }
  if (other === home.dir || !existsSync(localPaths({ dir: other }).clusterRecord(cluster))) return
  throw new HoldfastError(
    'other-home',
    `The machines of ${cluster} in ${store.location} belong to the home ${other}, and this one is ${home.dir}`,
    { remedy: `Set HOLDFAST_HOME=${other}.`, exitCode: 2 },
  )
}
