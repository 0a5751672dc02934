import type { Problem } from '../errors.ts'
import { type ClusterSpec, type Declaration, ETCD_NAMES } from '../spec/types.ts'

/** Fields that are part of what a running cluster is, each with what it takes to change it. */
const fixed: [path: string, of: (cluster: ClusterSpec) => string, why: string][] = [
  ['cluster.metadata.name', (cluster) => cluster.metadata.name, 'names and certificates hold it'],
  ['cluster.spec.cloud', (cluster) => cluster.spec.cloud, 'machines do not move between clouds'],
  [
    'cluster.spec.kubernetesVersion',
    (cluster) => cluster.spec.kubernetesVersion,
    'a change of version needs an upgrade, which is a plan of its own',
  ],
  [
    'cluster.spec.networking.kind',
    (cluster) => cluster.spec.networking.kind,
    'running pods would lose each other',
  ],
  [
    'cluster.spec.networking.podCidr',
    (cluster) => cluster.spec.networking.podCidr,
    'every node has its part of it',
  ],
  [
    'cluster.spec.networking.serviceCidr',
    (cluster) => cluster.spec.networking.serviceCidr,
    'services and certificates hold addresses of it',
  ],
  [
    'cluster.spec.networking.clusterDomain',
    (cluster) => cluster.spec.networking.clusterDomain,
    'running pods were told it',
  ],
  ['cluster.spec.egress', (cluster) => cluster.spec.egress, 'machines that run have their routes'],
  [
    'cluster.spec.api.port',
    (cluster) => String(cluster.spec.api.port),
    'every kubeconfig and every worker holds it',
  ],
  [
    'cluster.spec.api.dnsName',
    (cluster) => cluster.spec.api.dnsName ?? 'not set',
    'certificates of apiservers that run hold their names',
  ],
  [
    'cluster.spec.api.extraNames',
    (cluster) => cluster.spec.api.extraNames.join() || 'not set',
    'certificates of apiservers that run hold their names',
  ],
]

/** Refuses to change what cannot change once the cluster is there. Pure. */
export const fixedFieldProblems = (before: ClusterSpec, after: ClusterSpec): Problem[] =>
  fixed
    .filter(([, of]) => of(before) !== of(after))
    .map(([path, of, why]) => ({
      severity: 'error',
      path,
      message: `${path} is ${of(before)} and cannot become ${of(after)}: ${why}`,
      remedy: of(before) === 'not set' ? 'Leave it out.' : `Write ${of(before)}.`,
    }))

/** What may change, and what runs does not get: sentences, one a field. Pure. */
export function keptByRunning(before: Declaration, after: Declaration): string[] {
  const quotas = ETCD_NAMES.filter(
    (etcd) => before.cluster.spec.etcd[etcd].quotaBytes !== after.cluster.spec.etcd[etcd].quotaBytes,
  ).map((etcd) => `cluster.spec.etcd.${etcd}.quotaBytes: members that run keep theirs`)
  const nodes = after.groups.flatMap(({ metadata: { name }, spec }) => {
    const former = before.groups.find((group) => group.metadata.name === name)?.spec
    if (!former) return []
    const isOther = (field: 'nodeLabels' | 'taints') =>
      JSON.stringify(former[field]) !== JSON.stringify(spec[field])
    return (['nodeLabels', 'taints'] as const)
      .filter(isOther)
      .map((field) => `groups[${name}].spec.${field}: nodes that are there keep theirs`)
  })
  return [...quotas, ...nodes].map(
    (sentence) => `${sentence}; machines that are made from now on get the new ones.`,
  )
}
