import { setTimeout as sleep } from 'node:timers/promises'
import type { KubeApi, KubeObject } from '../controlplane/api.ts'
import { messageOf } from '../errors.ts'
import type { NodeNetwork } from '../network/pod-network.ts'
import { groupLabel } from './facts.ts'

export interface Node extends KubeObject {
  spec?: { podCIDR?: string }
  status?: {
    addresses?: { type: string; address: string }[]
    conditions?: { type: string; status: string; reason?: string }[]
  }
}

/** The nodes of the cluster, kept up to date by a watch: no polling while nothing changes. */
export interface NodeWatch {
  nodes(): ReadonlyMap<string, Node>
  /** True once the first list has been read. */
  readonly synced: boolean
}

const retryMs = 1_000

export function watchNodes(
  api: () => Promise<KubeApi>,
  onChange: () => void,
  say: (reason: string | undefined) => void,
): NodeWatch {
  let known = new Map<string, Node>()
  let synced = false
  const loop = async (): Promise<never> => {
    for (;;) {
      try {
        const client = await api()
        const listed = await client.list<Node>('/api/v1/nodes')
        known = new Map(listed.items.map((node) => [node.metadata?.name ?? '', essence(node)]))
        synced = true
        say(undefined)
        onChange()
        await client.watch<Node>(
          '/api/v1/nodes',
          ({ type, object }) => {
            const name = object.metadata?.name ?? ''
            if (type === 'BOOKMARK') return
            if (type === 'DELETED') known.delete(name)
            else known.set(name, essence(object))
            onChange()
          },
          { resourceVersion: listed.resourceVersion, timeoutSeconds: 300 },
        )
      } catch (error) {
        say(`nodes: ${messageOf(error)}`)
        await sleep(retryMs)
      }
    }
  }
  void loop()
  return {
    nodes: () => known,
    get synced() {
      return synced
    },
  }
}

/** What is used of a node: whole ones are ten kilobytes each, most of it who changed what. */
export const essence = ({ metadata, spec, status }: Node): Node => ({
  metadata: {
    labels: { [groupLabel]: metadata?.labels?.[groupLabel] ?? '' },
    name: metadata?.name ?? '',
    uid: metadata?.uid ?? '',
    creationTimestamp: metadata?.creationTimestamp ?? '',
  },
  spec: { podCIDR: spec?.podCIDR ?? '' },
  status: {
    addresses: status?.addresses ?? [],
    conditions: (status?.conditions ?? []).filter(({ type }) => type === 'Ready'),
  },
})

export const isReady = (node: Node | undefined): boolean =>
  node?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false

export function networkOf(node: Node): NodeNetwork {
  const internal = node.status?.addresses?.find(({ type }) => type === 'InternalIP')
  return {
    name: node.metadata?.name ?? '',
    uid: node.metadata?.uid ?? '',
    address: internal?.address ?? '',
    podCidr: node.spec?.podCIDR ?? '',
  }
}
