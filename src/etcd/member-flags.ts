import { ports } from '../constants.ts'
import type { EtcdName } from '../spec/types.ts'
import { clientUrl, peerUrl } from './names.ts'

export interface MemberFlags {
  cluster: string
  etcd: EtcdName
  seat: string
  address: string
  dataDir: string
  /** Folder with ca.crt, server.{crt,key}, peer.{crt,key}. */
  pkiDir: string
  quotaBytes: number
  token: string
  /** Seat → peer URL of every member at the first start. Ignored by etcd once there is data. */
  initialCluster: Record<string, string>
  /** `new` only in the short-lived founding process, never in a static pod. */
  initialState: 'new' | 'existing'
}

/**
 * Entries of the log between two of raft's snapshots on the disk. In etcd 3.6 they hold the members only: a few
 * kilobytes. With its default of 10,000 a founder's log long begins with "cluster version 3.0": when it starts again
 * it takes that for a downgrade, and writes a snapshot in the middle of its log, with the raft configuration of then
 * and the members of now. Where a member was replaced in between, the start after that never learns of the new one
 * (up to 3.6.16 at least: ClusterVersionSet in server/etcdserver/apply/apply.go). With this count there is a snapshot
 * before a cluster is up. etcd 3.6 makes one in memory as often anyway.
 */
const snapshotCount = 100

/** etcd 3.6's command line for one member. fsync stays on; see docs/architecture.md for each choice. */
export function memberFlags(member: MemberFlags): string[] {
  const port = ports.etcd[member.etcd]
  const pki = (file: string): string => `${member.pkiDir}/${file}`
  const listen = (number: number): string =>
    [`https://127.0.0.1:${number}`, `https://${member.address}:${number}`].join(',')
  return [
    `--name=${member.seat}`,
    `--data-dir=${member.dataDir}`,
    `--listen-client-urls=${listen(port.client)}`,
    `--advertise-client-urls=${clientUrl(member.cluster, member.etcd, member.seat)}`,
    `--listen-peer-urls=https://${member.address}:${port.peer}`,
    `--initial-advertise-peer-urls=${peerUrl(member.cluster, member.etcd, member.seat)}`,
    `--initial-cluster=${Object.entries(member.initialCluster)
      .map(([name, url]) => `${name}=${url}`)
      .sort()
      .join(',')}`,
    `--initial-cluster-state=${member.initialState}`,
    `--initial-cluster-token=${member.token}`,
    `--listen-metrics-urls=http://127.0.0.1:${port.metrics}`,
    '--client-cert-auth=true',
    `--trusted-ca-file=${pki('ca.crt')}`,
    `--cert-file=${pki('server.crt')}`,
    `--key-file=${pki('server.key')}`,
    '--peer-client-cert-auth=true',
    `--peer-trusted-ca-file=${pki('ca.crt')}`,
    `--peer-cert-file=${pki('peer.crt')}`,
    `--peer-key-file=${pki('peer.key')}`,
    // Peers are told apart by an authority that signs for masters only. The names in their
    // certificates are checked by the dialling side; the reverse look-up on the accepting side would
    // refuse a peer for as long as its new address is not known everywhere.
    '--peer-skip-client-san-verification=true',
    `--quota-backend-bytes=${member.quotaBytes}`,
    `--snapshot-count=${snapshotCount}`,
    '--auto-compaction-mode=periodic',
    '--auto-compaction-retention=1h',
    '--watch-progress-notify-interval=5s',
    '--strict-reconfig-check=true',
    '--logger=zap',
    '--log-level=info',
  ]
}
