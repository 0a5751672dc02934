import { expect, test } from 'vitest'
import type { Inventory } from '../../src/clouds/cloud.ts'
import { applyProblems } from '../../src/plan/apply-problems.ts'
import { fixedFieldProblems, keptByRunning } from '../../src/plan/fixed-fields.ts'
import { clusterWithDefaults } from '../../src/spec/defaults.ts'
import { masterGroups } from '../../src/spec/master-groups.ts'
import type { ClusterSpec, Declaration } from '../../src/spec/types.ts'
import { nothing } from './simulated-cloud.ts'

const cluster = (spec: object = {}): ClusterSpec =>
  clusterWithDefaults({ apiVersion: 'holdfast.dev/v1', kind: 'Cluster', metadata: { name: 'x' }, spec })

test.each<[string, ClusterSpec, string[]]>([
  ['nothing', cluster(), []],
  ['labels', cluster({ cloudLabels: { Team: 'Dev' } }), []],
  [
    'podCidr',
    cluster({ networking: { podCidr: '10.50.0.0/16' } }),
    [
      'cluster.spec.networking.podCidr is 10.244.0.0/16 and cannot become 10.50.0.0/16: every node has its part of it',
    ],
  ],
  [
    'serviceCidr',
    cluster({ networking: { serviceCidr: '10.50.0.0/16' } }),
    [
      'cluster.spec.networking.serviceCidr is 10.96.0.0/12 and cannot become 10.50.0.0/16: services and certificates hold addresses of it',
    ],
  ],
  [
    'networking',
    cluster({ networking: { kind: 'routed' } }),
    ['cluster.spec.networking.kind is vxlan and cannot become routed: running pods would lose each other'],
  ],
  [
    'version',
    cluster({ kubernetesVersion: '1.37.0' }),
    [
      'cluster.spec.kubernetesVersion is 1.36.3 and cannot become 1.37.0: a change of version needs an upgrade, which is a plan of its own',
    ],
  ],
  [
    'egress',
    cluster({ egress: 'nat' }),
    ['cluster.spec.egress is none and cannot become nat: machines that run have their routes'],
  ],
  [
    'port and names of the API',
    cluster({ api: { port: 7443, dnsName: 'a.example.com', extraNames: ['b.example.com', 'c'] } }),
    [
      'cluster.spec.api.port is 6443 and cannot become 7443: every kubeconfig and every worker holds it',
      'cluster.spec.api.dnsName is not set and cannot become a.example.com: certificates of apiservers that run hold their names',
      'cluster.spec.api.extraNames is not set and cannot become b.example.com,c: certificates of apiservers that run hold their names',
    ],
  ],
  [
    'name',
    { ...cluster(), metadata: { name: 'y' } },
    ['cluster.metadata.name is x and cannot become y: names and certificates hold it'],
  ],
])('a change of %s', (_, after, messages) => {
  expect(fixedFieldProblems(cluster(), after).map((problem) => problem.message)).toEqual(messages)
})

const declaration = (spec: object = {}): Declaration => ({
  cluster: cluster(spec),
  groups: masterGroups('x', ['a'], 1),
})
test('what machines that run do not get is said, field by field', () => {
  const before = declaration()
  const [group] = before.groups
  if (!group) throw new Error('no group')
  const after = declaration({ etcd: { events: { quotaBytes: 512 * 1024 ** 2 } } })
  const labelled = {
    ...group,
    spec: { ...group.spec, nodeLabels: { team: 'x' }, taints: ['a=b:NoSchedule'] },
  }

  expect(keptByRunning(before, before)).toEqual([])
  expect(
    keptByRunning(before, {
      ...after,
      groups: [labelled, { ...labelled, metadata: { ...group.metadata, name: 'new' } }],
    }),
  ).toEqual([
    'cluster.spec.etcd.events.quotaBytes: members that run keep theirs; machines that are made from now on get the new ones.',
    `groups[${group.metadata.name}].spec.nodeLabels: nodes that are there keep theirs; machines that are made from now on get the new ones.`,
    `groups[${group.metadata.name}].spec.taints: nodes that are there keep theirs; machines that are made from now on get the new ones.`,
  ])
})

const volume = { id: 'v', seat: 'a', etcd: 'main' as const, zone: 'a', sizeGib: 5 }

test.each<[string, Declaration, Partial<Inventory>, string[]]>([
  [
    'volumes that shrink',
    declaration({ etcd: { main: { volumeSizeGib: 4 } } }),
    { volumes: [volume] },
    ['error cluster.spec.etcd.main.volumeSizeGib: volumes of etcd main have 5 GiB and cannot shrink to 4'],
  ],
  [
    'volumes that grow',
    declaration({ etcd: { main: { volumeSizeGib: 9 } } }),
    { volumes: [volume] },
    ['warning cluster.spec.etcd.main.volumeSizeGib: volumes of etcd main that are there keep their 5 GiB'],
  ],
  [
    'a volume in another zone',
    declaration(),
    { volumes: [{ ...volume, zone: 'b' }] },
    [
      'error groups[0].spec.zones: master group master-a cannot move from zone b to zone a: the volumes of seat a are in b',
    ],
  ],
  [
    'another network',
    declaration({ networking: { machineCidr: '172.30.0.0/24' } }),
    { network: { cidr: '172.31.0.0/24', gateway: '172.31.0.1', device: 'br0' } },
    [
      'error cluster.spec.networking.machineCidr: the network is 172.31.0.0/24 and cannot become 172.30.0.0/24',
    ],
  ],
  [
    'another port',
    declaration({ api: { port: 443 } }),
    { endpoint: { address: '172.31.0.2', port: 6443 } },
    ['error cluster.spec.api.port: the endpoint has the port 6443 and cannot get 443'],
  ],
  [
    'a group that changes its role',
    declaration(),
    { groups: [{ name: 'master-a', role: 'node', zones: ['a'], size: 1 }] },
    ['error groups[0].spec.role: group master-a is one of nodes and cannot become one of masters'],
  ],
])('refuses or tells %s', (_, wanted, observed, messages) => {
  const problems = applyProblems(wanted, { ...nothing(), ...observed })

  expect(problems.map(({ severity, path, message }) => `${severity} ${path}: ${message}`)).toEqual(messages)
})
