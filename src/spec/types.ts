/**
 * What a user declares. The zod schemas in `schema.ts` are the truth about the file format;
 * these are the shapes after defaults have been applied.
 */
export const API_VERSION = 'holdfast.dev/v1'

export type Role = 'master' | 'node'
export type EtcdName = 'main' | 'events'
export const ETCD_NAMES: readonly EtcdName[] = ['main', 'events']

export interface ClusterSpec {
  apiVersion: typeof API_VERSION
  kind: 'Cluster'
  metadata: { name: string }
  spec: {
    cloud: 'local' | 'aws' | 'hosts'
    kubernetesVersion: string
    /** Every zone that groups may use. */
    zones: string[]
    topology: 'public' | 'private'
    networking: {
      kind: 'vxlan' | 'routed' | 'cni'
      podCidr: string
      serviceCidr: string
      /** The machines' own network; the local cloud chooses a free one when it is not set. */
      machineCidr?: string
      clusterDomain: string
    }
    egress: 'none' | 'nat'
    api: { port: number; dnsName?: string; extraNames: string[] }
    etcd: { main: EtcdSpec; events: EtcdSpec }
    dnsZone?: string
    cloudLabels: Record<string, string>
  }
}

export interface EtcdSpec {
  volumeSizeGib: number
  quotaBytes: number
}

export interface InstanceGroupSpec {
  apiVersion: typeof API_VERSION
  kind: 'InstanceGroup'
  metadata: { name: string; cluster: string }
  spec: {
    role: Role
    zones: string[]
    size: number
    /** Masters only: the seat (a, b, c …) that this group's one machine sits in. */
    seat?: string
    machineType?: string
    image?: string
    securityGroups: string[]
    nodeLabels: Record<string, string>
    taints: string[]
  }
}

/** Everything that is declared about one cluster. */
export interface Declaration {
  cluster: ClusterSpec
  groups: InstanceGroupSpec[]
}
