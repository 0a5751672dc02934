import { z } from 'zod'
import type { Cloud, Inventory } from '../clouds/cloud.ts'
import { HoldfastError, messageOf } from '../errors.ts'
import { nowMs } from './clock.ts'
import {
  type EtcdIdentity,
  type EtcdProbe,
  type EtcdStatus,
  etcdGatewayProbe,
  etcdIdentityOf,
} from './etcd-status.ts'
import { type HttpsClient, httpsClient } from './https-client.ts'
import { type KubeconfigSource, readKubeconfig } from './kubeconfig.ts'

/** What was seen of a cluster at one moment. Parts that could not be seen are missing. */
export interface Observation {
  atMs: number
  inventory: Inventory
  etcd: { main?: EtcdStatus; events?: EtcdStatus }
  /** Milliseconds since the epoch of the last renewal, by node name. */
  leases?: Record<string, number>
  endpoint?: EndpointTarget[]
}

export interface EndpointTarget {
  name: string
  up: boolean
}

export interface ObserverOptions {
  cloud: Pick<Cloud, 'observe' | 'host'> & {
    /** What the load balancer thinks of each apiserver, by machine. */
    endpointTargets?(cluster: string): Promise<EndpointTarget[]>
  }
  cluster: string
  kubeconfig: KubeconfigSource
  context?: string
  /** A client of both etcd clusters; default: what the first master that answers has itself. */
  etcdIdentity?: EtcdIdentity
}

export interface Observer {
  /** Never throws for a part that does not answer; only when the cloud itself cannot be asked. */
  observe(): Promise<Observation>
}

const leasesSchema = z.object({
  items: z.array(
    z.object({ metadata: z.object({ name: z.string() }), spec: z.object({ renewTime: z.string() }) }),
  ),
})
const timeoutMs = 1000

/**
 * Looks at a cluster from the outside: the cloud, both etcd clusters, the API, the load balancer.
 * @throws HoldfastError `drill-unsupported` where the cloud cannot tell what its load balancer sees.
 */
export async function createObserver(options: ObserverOptions): Promise<Observer> {
  const { cloud, cluster } = options
  if (!cloud.endpointTargets) {
    throw new HoldfastError('drill-unsupported', 'This cloud cannot tell what its load balancer sees')
  }
  const api = httpsClient(await readKubeconfig(options.kubeconfig, options.context))
  const etcdProbe: EtcdProbe = etcdGatewayProbe(
    async () => options.etcdIdentity ?? (await identityOfAnyMaster(cloud, cluster)),
  )
  return {
    async observe() {
      const atMs = nowMs()
      const inventory = await cloud.observe(cluster)
      const masters = inventory.machines.filter(
        (machine) => machine.role === 'master' && machine.state === 'running',
      )
      const [etcd, leases, endpoint] = await Promise.all([
        etcdProbe(masters).catch(() => ({})),
        readLeases(api).catch(() => undefined),
        cloud.endpointTargets?.(cluster).catch(() => undefined),
      ])
      return { atMs, inventory, etcd, ...(leases ? { leases } : {}), ...(endpoint ? { endpoint } : {}) }
    },
  }
}

async function readLeases(api: HttpsClient): Promise<Record<string, number>> {
  const path = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases'
  const answer = await api.call({ method: 'GET', path, timeoutMs })
  if (answer.status !== 200) throw new Error(`status ${answer.status}`)
  try {
    const list = leasesSchema.parse(JSON.parse(answer.body))
    return Object.fromEntries(list.items.map((item) => [item.metadata.name, Date.parse(item.spec.renewTime)]))
  } catch (error) {
    throw new Error(`unexpected list of leases: ${messageOf(error)}`)
  }
}

async function identityOfAnyMaster(cloud: ObserverOptions['cloud'], cluster: string): Promise<EtcdIdentity> {
  let reason: unknown = new Error('no master runs')
  for (const machine of (await cloud.observe(cluster)).machines) {
    if (machine.role !== 'master' || machine.state !== 'running') continue
    try {
      return await etcdIdentityOf(await cloud.host(machine.id))
    } catch (error) {
      reason = error
    }
  }
  throw reason
}
