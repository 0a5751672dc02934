import type { Identity, Surroundings } from '../clouds/surroundings.ts'
import type { ClusterSpec } from '../spec/types.ts'
import type { RememberingStore } from './remembering-store.ts'

/** What every part of the agent works with. */
export interface AgentContext {
  identity: Identity
  surroundings: Surroundings
  store: RememberingStore
  cluster: ClusterSpec
  /** Why each part waits, for the heartbeat and for `logs`: part → last reason; undefined when it is done. */
  say(part: string, reason: string | undefined): void
}

export const folders = {
  state: '/var/lib/holdfast',
  volumes: '/var/lib/holdfast/volumes',
  manifests: '/etc/kubernetes/manifests',
  pki: '/etc/kubernetes/pki',
  etcdPki: '/etc/kubernetes/pki/etcd',
  patches: '/etc/holdfast/patches',
  images: '/opt/holdfast/images',
} as const
