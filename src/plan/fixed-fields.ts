import type { Problem } from '../errors.ts'
import type { ClusterSpec } from '../spec/types.ts'

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
]

/** Refuses to change what cannot change once the cluster is there. Pure. */
export const fixedFieldProblems = (before: ClusterSpec, after: ClusterSpec): Problem[] =>
  fixed
    .filter(([, of]) => of(before) !== of(after))
    .map(([path, of, why]) => ({
      severity: 'error',
      path,
      message: `${path} is ${of(before)} and cannot become ${of(after)}: ${why}`,
      remedy: `Write ${of(before)}.`,
    }))
