import { createHash } from 'node:crypto'

/** An etcd id: 16 lower-case hexadecimal digits. On etcd's wire it is a decimal string. */
export type EtcdId = string

/**
 * The id that etcd gives a founding member: a function of its peer URLs and the cluster's token only.
 * @see etcd server/etcdserver/api/membership/member.go, computeMemberID
 */
export function memberId(peerUrls: readonly string[], token: string): EtcdId {
  const hash = createHash('sha1')
    .update([...peerUrls].sort().join(''))
    .update(token)
  return hash.digest('hex').slice(0, 16)
}

/**
 * The id of a cluster founded by these members.
 * @see etcd server/etcdserver/api/membership/cluster.go, genID
 */
export function clusterId(memberIds: readonly EtcdId[]): EtcdId {
  const hash = createHash('sha1')
  // Of equal length, so that the text's order is the numbers' order.
  for (const id of [...memberIds].sort()) hash.update(Buffer.from(id, 'hex'))
  return hash.digest('hex').slice(0, 16)
}

/** `"10276657743932975437"` → `"8e9e05c52164694d"`. Absent means 0: the gateway leaves out zeros. */
export const idFromWire = (decimal: string | undefined): EtcdId =>
  BigInt(decimal ?? '0')
    .toString(16)
    .padStart(16, '0')

export const idToWire = (id: EtcdId): string => BigInt(`0x${id}`).toString(10)
