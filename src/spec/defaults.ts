import { kubernetes, ports } from '../constants.ts'
import { withoutV } from './kubernetes-version.ts'
import type { ClusterInput, InstanceGroupInput } from './schema.ts'
import type { ClusterSpec, EtcdSpec, InstanceGroupSpec } from './types.ts'
import { freeRange } from './validate-ranges.ts'

const GIB = 2 ** 30

export const defaultZones: readonly string[] = ['a', 'b', 'c']

/** Tried in this order; the first that is free is taken. */
const podCidrs = [
  '10.244.0.0/16',
  '10.245.0.0/16',
  '10.246.0.0/16',
  '100.96.0.0/16',
  '172.24.0.0/16',
] as const
const serviceCidrs = ['10.96.0.0/12', '10.112.0.0/12', '100.64.0.0/12', '172.20.0.0/16'] as const

/**
 * Locally small, elsewhere what kops has. Twice the quota and half a GiB fit each volume, so that
 * etcd can be defragmented (which writes a second copy) even when it is full.
 */
const etcdDefaults: Record<'local' | 'other', { main: EtcdSpec; events: EtcdSpec }> = {
  local: {
    main: { volumeSizeGib: 5, quotaBytes: 2 * GIB },
    events: { volumeSizeGib: 3, quotaBytes: GIB },
  },
  other: {
    main: { volumeSizeGib: 20, quotaBytes: 8 * GIB },
    events: { volumeSizeGib: 20, quotaBytes: 4 * GIB },
  },
}

/** Fields that were given; undefined ones are left out, so that equal declarations are deeply equal. */
function given<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>
  }
}

/** Where the ranges are that are not named. */
export interface RangeChoice {
  /** They must not meet these: the routes of the host. */
  taken?: readonly string[]
  /** Those that the cluster has already; else the first that meets nothing. */
  present?: { readonly podCidr: string; readonly serviceCidr: string } | undefined
}

/** A cluster as declared, with every field that was left out filled in. Ranges that are named are taken as they are. */
export function clusterWithDefaults(
  input: ClusterInput,
  { taken = [], present }: RangeChoice = {},
): ClusterSpec {
  const spec = input.spec ?? {}
  const cloud = spec.cloud ?? 'local'
  const { podCidr, serviceCidr, machineCidr } = spec.networking ?? {}
  const others = [podCidr, serviceCidr, machineCidr, ...taken].filter((cidr) => cidr !== undefined)
  const etcd = etcdDefaults[cloud === 'local' ? 'local' : 'other']
  return {
    apiVersion: input.apiVersion,
    kind: 'Cluster',
    metadata: { name: input.metadata.name },
    spec: {
      cloud,
      kubernetesVersion: withoutV(spec.kubernetesVersion ?? kubernetes.defaultVersion),
      zones: spec.zones ?? (cloud === 'local' ? [...defaultZones] : []),
      topology: spec.topology ?? 'private',
      networking: {
        kind: 'vxlan',
        podCidr: present?.podCidr ?? freeRange(podCidrs, others),
        serviceCidr: present?.serviceCidr ?? freeRange(serviceCidrs, others),
        clusterDomain: 'cluster.local',
        ...given(spec.networking ?? {}),
      },
      egress: spec.egress ?? (cloud === 'local' ? 'none' : 'nat'),
      api: { port: ports.apiserver, extraNames: [], ...given(spec.api ?? {}) },
      etcd: {
        main: { ...etcd.main, ...given(spec.etcd?.main ?? {}) },
        events: { ...etcd.events, ...given(spec.etcd?.events ?? {}) },
      },
      ...(spec.dnsZone === undefined ? {} : { dnsZone: spec.dnsZone }),
      cloudLabels: spec.cloudLabels ?? {},
    },
  }
}

/** A group as declared, with every field that was left out filled in; seats are given by `assignSeats`. */
export function groupWithDefaults(input: InstanceGroupInput): InstanceGroupSpec {
  const { role, size, securityGroups, nodeLabels, taints, zones, ...optional } = input.spec
  return {
    apiVersion: input.apiVersion,
    kind: 'InstanceGroup',
    metadata: { name: input.metadata.name, cluster: input.metadata.cluster },
    spec: {
      role: role === 'master' || role === 'control-plane' ? 'master' : 'node',
      zones,
      size: size ?? 1,
      ...given(optional),
      securityGroups: securityGroups ?? [],
      nodeLabels: nodeLabels ?? {},
      taints: taints ?? [],
    },
  }
}

const letters = 'abcdefghijklmnopqrstuvwxyz'

/** Gives every master group without a seat the first free letter, in the order of the groups. */
export function assignSeats(groups: readonly InstanceGroupSpec[]): InstanceGroupSpec[] {
  const taken = new Set(groups.map((group) => group.spec.seat))
  return groups.map((group) => {
    if (group.spec.role !== 'master' || group.spec.seat !== undefined) return group
    const seat = [...letters].find((letter) => !taken.has(letter))
    if (seat === undefined) return group
    taken.add(seat)
    return { ...group, spec: { ...group.spec, seat } }
  })
}
