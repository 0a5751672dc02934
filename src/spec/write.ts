import { Document, isMap, isScalar } from 'yaml'
import type { ClusterSpec, Declaration, InstanceGroupSpec } from './types.ts'

const clusterComments: Record<string, string> = {
  'spec.cloud': 'Where the machines live: local, aws or hosts.',
  'spec.zones': 'Every zone that groups may use.',
  'spec.networking.kind': 'vxlan works everywhere; routed needs one layer-2 network; cni: bring your own.',
  'spec.networking.podCidr':
    'None of these ranges may overlap another, nor a route of the host. They cannot change later.',
  'spec.egress': 'Whether machines may reach out, to pull images: none or nat.',
  'spec.api.extraNames': 'More DNS names or addresses for the serving certificates.',
  'spec.etcd': 'Each master has a volume for each of the two; they outlive the machine.',
}

const groupComments: Record<string, string> = {
  'spec.size': 'How many machines the group keeps alive.',
  'spec.seat': "The master's place in etcd. Its name and its volumes stay when the machine is replaced.",
}

/** The Cluster as YAML, in a stable order, with the fields that matter most explained. */
export const writeCluster = (cluster: ClusterSpec): string => write(orderedCluster(cluster), clusterComments)

/** One InstanceGroup as YAML. */
export const writeGroup = (group: InstanceGroupSpec): string => write(orderedGroup(group), groupComments)

/** The whole declaration as one file that `parseDocuments` reads back. */
export const writeDeclaration = ({ cluster, groups }: Declaration): string =>
  [writeCluster(cluster), ...groups.map(writeGroup)].join('---\n')

function write(value: object, comments: Record<string, string>): string {
  const document = new Document(value, { aliasDuplicateObjects: false })
  for (const [path, comment] of Object.entries(comments)) {
    const parts = path.split('.')
    const parent = document.getIn(parts.slice(0, -1), true)
    if (!isMap(parent)) continue
    const pair = parent.items.find((item) => isScalar(item.key) && item.key.value === parts.at(-1))
    if (pair && isScalar(pair.key)) pair.key.commentBefore = ` ${comment}`
  }
  return document.toString({ lineWidth: 0 })
}

/** Fields in the order of the schema, whatever the order of the object that was given. */
function orderedCluster({ apiVersion, kind, metadata, spec }: ClusterSpec): object {
  const { networking, api, etcd } = spec
  return present({
    apiVersion,
    kind,
    metadata: { name: metadata.name },
    spec: present({
      cloud: spec.cloud,
      kubernetesVersion: spec.kubernetesVersion,
      zones: spec.zones,
      topology: spec.topology,
      networking: present({
        kind: networking.kind,
        podCidr: networking.podCidr,
        serviceCidr: networking.serviceCidr,
        machineCidr: networking.machineCidr,
        clusterDomain: networking.clusterDomain,
      }),
      egress: spec.egress,
      api: present({ port: api.port, dnsName: api.dnsName, extraNames: api.extraNames }),
      etcd: {
        main: { volumeSizeGib: etcd.main.volumeSizeGib, quotaBytes: etcd.main.quotaBytes },
        events: { volumeSizeGib: etcd.events.volumeSizeGib, quotaBytes: etcd.events.quotaBytes },
      },
      dnsZone: spec.dnsZone,
      cloudLabels: sorted(spec.cloudLabels),
    }),
  })
}

function orderedGroup({ apiVersion, kind, metadata, spec }: InstanceGroupSpec): object {
  return {
    apiVersion,
    kind,
    metadata: { name: metadata.name, cluster: metadata.cluster },
    spec: present({
      role: spec.role,
      zones: spec.zones,
      size: spec.size,
      seat: spec.seat,
      machineType: spec.machineType,
      image: spec.image,
      securityGroups: spec.securityGroups,
      nodeLabels: sorted(spec.nodeLabels),
      taints: spec.taints,
    }),
  }
}

const present = (fields: object): object =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))

const sorted = (labels: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)))
