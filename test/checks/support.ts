import type { CheckContext, EtcdView } from '../../src/checks/context.ts'
import type { Deployment, Node, Pod } from '../../src/checks/kube-shapes.ts'
import type { EndpointTarget, Inventory, Machine } from '../../src/clouds/cloud.ts'
import type { EtcdMember, EtcdStatus } from '../../src/etcd/client.ts'
import type { Declaration, Role } from '../../src/spec/types.ts'
import type { Heartbeat } from '../../src/store/heartbeats.ts'
import { declare } from '../operations/support.ts'

/** What a round of checks sees; change one thing and the checks must name it. */
export interface Seen {
  declaration: Declaration
  inventory: Inventory
  readyz: string
  nodes: Node[]
  /** What machines said of themselves. */
  heartbeats: Record<string, Heartbeat>
  pods: Pod[]
  /** What apiservers answer that are not ready, by machine. */
  silentApiservers: Record<string, string>
  coredns: Deployment | undefined
  main: EtcdView
  events: EtcdView
  targets: EndpointTarget[] | undefined
}

const controlPlane = 'node-role.kubernetes.io/control-plane'

/** Three masters and a worker, all well. */
export function healthy(): Seen {
  const machines = [
    machine('master', 'a'),
    machine('master', 'b'),
    machine('master', 'c'),
    machine('node', 'a'),
  ]
  const masters = machines.filter(({ role }) => role === 'master')
  return {
    declaration: declare(),
    inventory: {
      endpoint: { address: '10.9.0.1', port: 6443 },
      groups: [],
      volumes: [],
      machines,
    },
    readyz: 'ok',
    nodes: machines.map(node),
    heartbeats: {},
    silentApiservers: {},
    pods: machines.map(({ id }) => pod(id, 'k8s-app', 'kube-proxy')),
    coredns: {
      spec: { replicas: 2 },
      status: { availableReplicas: 2, conditions: [{ type: 'Available', status: 'True' }] },
    },
    main: etcdView(masters),
    events: etcdView(masters),
    targets: masters.map(({ id }) => ({ name: id, up: true })),
  }
}

const machine = (role: Role, zone: string): Machine => ({
  id: role === 'master' ? `master-${zone}-1` : 'nodes-1',
  group: role === 'master' ? `master-${zone}` : 'nodes',
  role,
  zone,
  address: '10.9.0.2',
  state: 'running',
  bootedAt: '2026-01-01T00:00:00Z',
})

const node = ({ id, role }: Machine): Node => ({
  metadata: { name: id, labels: role === 'master' ? { [controlPlane]: '' } : {} },
  spec: role === 'master' ? { taints: [{ key: controlPlane, effect: 'NoSchedule' }] } : {},
  status: { conditions: [{ type: 'Ready', status: 'True' }] },
})

const pod = (nodeName: string, label: string, value: string): Pod => ({
  metadata: { labels: { [label]: value } },
  spec: { nodeName },
  status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
})

function etcdView(masters: readonly Machine[]): EtcdView {
  const id = (index: number) => `000000000000000${index + 1}`
  const members = masters.map(
    ({ zone }, index): EtcdMember => ({
      id: id(index),
      name: zone,
      peerUrls: [],
      clientUrls: [],
      isLearner: false,
    }),
  )
  const status = (index: number): EtcdStatus => ({
    clusterId: 'c',
    memberId: id(index),
    leaderId: id(0),
    version: '3.6.8',
    dbSizeBytes: 1,
    dbSizeInUseBytes: 1,
    revision: 1,
    raftTerm: 1,
    raftIndex: 1,
    raftAppliedIndex: 1,
    isLearner: false,
    errors: [],
  })
  return {
    members,
    statuses: masters.map((machine, index) => ({ machine, status: status(index), serves: true })),
  }
}

export const contextOf = (seen: Seen): CheckContext => ({
  declaration: seen.declaration,
  inventory: async () => seen.inventory,
  readyz: async () => seen.readyz,
  readyzOf: async ({ id }) => seen.silentApiservers[id] ?? 'ok',
  nodes: async () => seen.nodes,
  heartbeat: async (machine) => seen.heartbeats[machine],
  systemPods: async () => seen.pods,
  coredns: async () => seen.coredns,
  etcd: async (name) => seen[name],
  endpointTargets: async () => seen.targets,
  nextRound: () => {},
  close: () => {},
})
