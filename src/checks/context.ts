import type { Cloud, EndpointTarget, Inventory, Machine } from '../clouds/cloud.ts'
import { ports } from '../constants.ts'
import { type KubeApi, kubeApi } from '../controlplane/api.ts'
import { healthExclusions } from '../controlplane/kubeadm-config.ts'
import { type EtcdClient, type EtcdMember, type EtcdStatus, etcdClient } from '../etcd/client.ts'
import type { CertificatePair } from '../pki/certificates.ts'
import type { Declaration, EtcdName } from '../spec/types.ts'
import type { Heartbeat } from '../store/heartbeats.ts'
import type { Deployment, Node, Pod } from './kube-shapes.ts'

/** Longest time that anything may take to answer before it counts as silent. */
const answerTimeoutMs = 2_000

export interface CheckSubject {
  cloud: Cloud
  declaration: Declaration
  /** What a machine last said of itself. */
  heartbeat: (machine: string) => Promise<Heartbeat | undefined>
  credentials: { admin: CertificatePair; caPem: string; etcd: CertificatePair; etcdCaPem: string }
}

/** What the checks of one round look at. Whatever several of them need is asked for once. */
export interface CheckContext {
  readonly declaration: Declaration
  inventory(): Promise<Inventory>
  /** What a machine last said of itself; undefined where it has said nothing. */
  heartbeat(machine: string): Promise<Heartbeat | undefined>
  /** `/readyz` through the endpoint. */
  readyz(): Promise<string>
  nodes(): Promise<Node[]>
  /** `/readyz` of one master's own apiserver, whatever `events` does. */
  readyzOf(machine: Machine): Promise<string>
  /** Pods of kube-system. */
  systemPods(): Promise<Pod[]>
  coredns(): Promise<Deployment | undefined>
  etcd(name: EtcdName): Promise<EtcdView>
  /** What the balancer thinks of each master; undefined where the cloud cannot tell. */
  endpointTargets(): Promise<EndpointTarget[] | undefined>
  /** Forgets the answers, keeps the connections. */
  nextRound(): void
  close(): void
}

/** One etcd cluster, seen from the outside. */
export interface EtcdView {
  members: EtcdMember[]
  /** By machine; undefined where it did not answer. `serves`: it answered a linearizable read by itself. */
  statuses: { machine: Machine; status: EtcdStatus | undefined; serves: boolean }[]
}

export function createCheckContext({
  cloud,
  declaration,
  heartbeat,
  credentials,
}: CheckSubject): CheckContext {
  const cluster = declaration.cluster.metadata.name
  const clients = new Map<string, EtcdClient>()
  const apis = new Map<string, KubeApi>()
  let answers = new Map<string, Promise<unknown>>()

  const once = <T>(key: string, ask: () => Promise<T>): Promise<T> => {
    const known = answers.get(key) as Promise<T> | undefined
    if (known) return known
    const answer = ask()
    answers.set(key, answer)
    return answer
  }
  const inventory = () => once('inventory', () => cloud.observe(cluster))
  const apiAt = (server: string): KubeApi => {
    const { admin, caPem } = credentials
    const known = apis.get(server)
    if (known) return known
    const made = kubeApi({
      server,
      ca: caPem,
      cert: admin.certPem,
      key: admin.keyPem,
      timeoutMs: answerTimeoutMs,
    })
    apis.set(server, made)
    return made
  }
  const api = async (): Promise<KubeApi> => {
    const { endpoint } = await inventory()
    if (!endpoint) throw new Error('there is no endpoint yet')
    return apiAt(`https://${endpoint.address}:${endpoint.port}`)
  }
  const items = <T>(path: string) =>
    once(path, async () => (await (await api()).list<T>(`${path}?resourceVersion=0`)).items)

  const etcdAt = (machine: Machine, name: EtcdName): EtcdClient => {
    const endpoint = `https://${machine.address}:${ports.etcd[name].client}`
    const known = clients.get(endpoint)
    if (known) return known
    const client = etcdClient({
      endpoints: [endpoint],
      ca: credentials.etcdCaPem,
      cert: credentials.etcd.certPem,
      key: credentials.etcd.keyPem,
      timeoutMs: answerTimeoutMs,
    })
    clients.set(endpoint, client)
    return client
  }
  const viewEtcd = async (name: EtcdName): Promise<EtcdView> => {
    const masters = (await inventory()).machines.filter(
      ({ role, state }) => role === 'master' && state === 'running',
    )
    const statuses = await Promise.all(
      masters.map(async (machine) => {
        const client = etcdAt(machine, name)
        const [status, list] = await Promise.all([
          client.status().catch(() => undefined),
          client.memberList({ linearizable: true }).catch(() => undefined),
        ])
        return { machine, status, serves: list !== undefined, list }
      }),
    )
    const agreed = statuses.find(({ list }) => list !== undefined)?.list
    if (agreed) return { members: agreed.members, statuses }
    const leader = statuses.find(({ status }) => status && status.leaderId === status.memberId)
    const answering = leader ?? statuses.find(({ status }) => status !== undefined)
    if (!answering) return { members: [], statuses }
    // Not linearizable, so that the members are known without a quorum too.
    const { members } = await etcdAt(answering.machine, name).memberList({ linearizable: false })
    return { members, statuses }
  }

  return {
    declaration,
    inventory,
    heartbeat,
    readyz: () => once('readyz', async () => (await api()).rawGet('/readyz', { timeoutMs: answerTimeoutMs })),
    readyzOf: ({ id, address }) =>
      once(`readyz of ${id}`, () =>
        apiAt(`https://${address}:${ports.apiserver}`).rawGet(`/readyz?${healthExclusions}`),
      ),
    nodes: () => items<Node>('/api/v1/nodes'),
    systemPods: () => items<Pod>('/api/v1/namespaces/kube-system/pods'),
    coredns: () =>
      once('coredns', async () =>
        (await api()).tryGet<Deployment>('/apis/apps/v1/namespaces/kube-system/deployments/coredns'),
      ),
    etcd: (name) => once(`etcd ${name}`, () => viewEtcd(name)),
    endpointTargets: () => once('targets', async () => cloud.endpointTargets?.(cluster)),
    nextRound() {
      answers = new Map()
    },
    close() {
      for (const one of apis.values()) one.close()
      for (const client of clients.values()) client.close()
    },
  }
}
