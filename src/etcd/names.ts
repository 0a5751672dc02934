import { ports } from '../constants.ts'
import type { EtcdName } from '../spec/types.ts'

/**
 * Peer URLs and certificates use the seats' names, never addresses: members that all come back
 * with new addresses still find each other.
 */
export const memberHostName = (cluster: string, etcd: EtcdName, seat: string): string =>
  `${seat}.${etcd}.${cluster}.internal`

export const peerUrl = (cluster: string, etcd: EtcdName, seat: string): string =>
  `https://${memberHostName(cluster, etcd, seat)}:${ports.etcd[etcd].peer}`

export const clientUrl = (cluster: string, etcd: EtcdName, seat: string): string =>
  `https://${memberHostName(cluster, etcd, seat)}:${ports.etcd[etcd].client}`
