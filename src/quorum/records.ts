/** What is remembered about etcd clusters and their members, in the store and on their disks. */

/** `CLUSTER/etcd/NAME/genesis.json`. The etcd token is made of uuid, generation and attempt. */
export interface Genesis {
  uuid: string
  /** Raised when the cluster is rebuilt from a backup or a survivor. */
  generation: number
  /** Raised when founding starts over; nothing was acknowledged in an earlier attempt. */
  attempt: number
  phase: 'forming' | 'formed'
  /** Seats that found the cluster together. */
  founders: string[]
}

/** One member in its seat's record. */
export interface MemberRecord {
  state: 'unused' | 'founding' | 'learner' | 'voter' | 'lost'
  /** Lower-case hexadecimal, 16 digits, as etcd prints it. */
  memberId?: string
  volumeId?: string
  /** The claim's epoch when this member's disk was last stamped. */
  epoch: number
}

/** `CLUSTER/seats/a.json`: one record for the whole seat, so that a claim is one compare-and-swap. */
export interface SeatRecord {
  seat: string
  group: string
  zone: string
  /** Raised by every claim. */
  epoch: number
  /** Tells whether a claim whose answer was lost was ours. */
  nonce: string
  machine: string
  address: string
  members: { main: MemberRecord; events: MemberRecord }
}

/** `MOUNT/holdfast.json`: what a disk says it is. */
export interface Stamp {
  uuid: string
  etcd: string
  seat: string
  volumeId: string
  epoch: number
  generation: number
  attempt: number
  /** Written and synced before etcd's first start on this disk. */
  memberId: string
  clusterId: string
  /**
   * Set at the first start after the cluster was recorded as formed. From then on a genesis that says
   * `forming`, or another attempt, is that of a store that was rolled back.
   */
  formed?: true
}

export const etcdToken = (genesis: Pick<Genesis, 'uuid' | 'generation' | 'attempt'>): string =>
  `${genesis.uuid}/${genesis.generation}/${genesis.attempt}`

export const unusedMember = (): MemberRecord => ({ state: 'unused', epoch: 0 })
