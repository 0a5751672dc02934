import { fileURLToPath } from 'node:url'
import type { Cloud } from '../clouds/cloud.ts'
import type { LocalCloud, LocalCloudOptions } from '../clouds/local/cloud.ts'
import type { MachineAssets } from '../clouds/local/parts.ts'
import { HoldfastError } from '../errors.ts'
import type { Report } from '../events.ts'
import type { Home } from '../home.ts'
import type { ClusterSpec } from '../spec/types.ts'
import type { StateStore } from '../store/store.ts'
import { declaredOnly } from './declared-only.ts'

/** What every operation works with. */
export interface Operation {
  readonly home: Home
  readonly store: StateStore
  readonly report: Report
  /** Asked to end after the step in hand. */
  readonly stop: AbortSignal
  readonly kubeconfig: Kubeconfig
  cloud(kind: ClusterSpec['spec']['cloud']): Promise<Cloud>
  localCloud(): Promise<LocalCloud>
  /** The agent's bundle; made once. */
  agent(): Promise<{ path: string; sha256: string }>
  /** What machines are made from, fetched or built where it is missing, after the host's own packages; once. */
  assets(kubernetesVersion: string): Promise<MachineAssets>
}

/** The user's kubeconfig files, and whose they are under sudo. */
export interface Kubeconfig {
  files: readonly string[]
  /** The user's environment, where kubectl looks for a proxy. */
  env?: NodeJS.ProcessEnv
  owner?: { uid: number; gid: number }
}

export interface OperationOptions {
  home: Home
  store: StateStore
  report: Report
  stop: AbortSignal
  kubeconfig: Kubeconfig
  probes?: Probes
}

/** What is found out about this machine, where tests give their own answers. */
export type Probes = NonNullable<LocalCloudOptions['probes']> & {
  agent?: () => Promise<{ path: string; sha256: string }>
}

const agentEntry = fileURLToPath(new URL('../agent/main.ts', import.meta.url))

/** Everything heavy is loaded when it is first asked for. */
export function openOperation(options: OperationOptions): Operation {
  const { home, store, report, probes = {} } = options
  const once = <T>(make: () => Promise<T>): (() => Promise<T>) => {
    let made: Promise<T> | undefined
    return () => {
      made ??= make()
      return made
    }
  }
  const agent = once(async () => {
    if (probes.agent) return probes.agent()
    const { bundleAgent } = await import('../assets/agent-bundle.ts')
    return bundleAgent(agentEntry, home.cache).catch((error: unknown) => {
      // A Ctrl-C of the terminal reaches esbuild as well.
      throw options.stop.aborted ? interrupted('Go on with the same command.') : error
    })
  })
  const assetsOf = new Map<string, Promise<MachineAssets>>()
  const resolve = async (kubernetesVersion: string): Promise<MachineAssets> => {
    const [{ resolveAssets }, { installMissing }] = await Promise.all([
      import('../assets/resolve.ts'),
      import('../assets/host-packages.ts'),
    ])
    await installMissing({ report, stop: options.stop })
    const [resolved, bundle] = await Promise.all([
      resolveAssets({ kubernetesVersion, cache: home.cache, report, stop: options.stop }),
      agent(),
    ])
    const { machineRoot, binDir, cniDir, containerdTemplate, nodeBinary } = resolved
    const folders = { machineRoot, binDir, cniDir, containerdTemplate, nodeBinary }
    return { ...folders, agentBundle: bundle.path, agentSha256: bundle.sha256 }
  }
  const assets = (version: string) => {
    const found = assetsOf.get(version) ?? resolve(version)
    assetsOf.set(version, found)
    return found
  }
  const localCloud = once(async (): Promise<LocalCloud> => {
    const [{ openLocalCloud }, { kubernetes }] = await Promise.all([
      import('../clouds/local/cloud.ts'),
      import('../constants.ts'),
    ])
    // Every cluster has the one supported version so far; the first that was resolved is it.
    const cloud = openLocalCloud({
      home,
      storeUrl: store.location,
      assets: () => [...assetsOf.values()][0] ?? assets(kubernetes.defaultVersion),
      probes,
    })
    return {
      ...cloud,
      async endpointTargets(cluster: string) {
        const { localEndpointTargets } = await import('./endpoint-targets.ts')
        return localEndpointTargets(home, cluster)
      },
    }
  })
  return {
    home,
    store,
    report,
    stop: options.stop,
    kubeconfig: options.kubeconfig,
    cloud: async (kind) => (kind === 'local' ? localCloud() : declaredOnly(kind)),
    localCloud,
    agent,
    assets,
  }
}

/** Stops here, between two steps, when the user asked for it. */
export function throwIfStopped(operation: Operation, cluster: string): void {
  if (!operation.stop.aborted) return
  throw interrupted(
    `Go on with the same command, or remove it all with \`holdfast delete cluster ${cluster} --yes\`.`,
  )
}

const interrupted = (remedy: string) =>
  new HoldfastError('interrupted', 'Stopped, as asked. Everything made so far is kept.', {
    remedy,
    exitCode: 130,
  })

/** Where to read on when something does not come up. */
export const logsHint = ({ home }: Operation, cluster: string): string =>
  `Logs: \`holdfast get machines ${cluster}\`, then \`holdfast logs MACHINE\` (agent) or \`--component kubelet\`; the local cloud's own in ${home.dir}/local/cloud.log.`
