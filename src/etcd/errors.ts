import { HoldfastError } from '../errors.ts'

/** What callers tell apart; `other` keeps etcd's own words in the message. */
export type EtcdErrorKind =
  /** The change would take the quorum, or a member is too new or not connected: strict reconfiguration. */
  | 'unhealthy-cluster'
  | 'learner-not-ready'
  | 'member-not-found'
  | 'member-not-learner'
  | 'member-exists'
  | 'too-many-learners'
  | 'not-leader'
  | 'no-leader'
  | 'no-space'
  | 'corrupt'
  | 'compacted'
  /** A learner does not serve this request. */
  | 'not-supported-for-learner'
  /** No answer, or the connection broke: whether it was done is unknown. */
  | 'timeout'
  /** No member could be reached: nothing was done. */
  | 'unreachable'
  | 'other'

/** @see google.golang.org/grpc/codes; 14 is Unavailable, 4 DeadlineExceeded. */
export class EtcdError extends HoldfastError {
  readonly kind: EtcdErrorKind
  readonly grpcCode: number
  readonly endpoint: string

  constructor(kind: EtcdErrorKind, grpcCode: number, endpoint: string, message: string, cause?: unknown) {
    super(`etcd-${kind}`, `etcd at ${endpoint}: ${message}`, { cause })
    this.name = 'EtcdError'
    this.kind = kind
    this.grpcCode = grpcCode
    this.endpoint = endpoint
  }
}

/** etcd's messages. @see etcd api/v3rpc/rpctypes/error.go */
const kinds: [string, EtcdErrorKind][] = [
  ['etcdserver: unhealthy cluster', 'unhealthy-cluster'],
  ['etcdserver: re-configuration failed due to not enough started members', 'unhealthy-cluster'],
  ['etcdserver: can only promote a learner member which is in sync with leader', 'learner-not-ready'],
  ['etcdserver: member not found', 'member-not-found'],
  ['etcdserver: can only promote a learner member', 'member-not-learner'],
  ['etcdserver: member ID already exist', 'member-exists'],
  ['etcdserver: Peer URLs already exists', 'member-exists'],
  ['etcdserver: too many learner members in cluster', 'too-many-learners'],
  ['etcdserver: rpc not supported for learner', 'not-supported-for-learner'],
  ['etcdserver: not leader', 'not-leader'],
  ['etcdserver: no leader', 'no-leader'],
  ['etcdserver: leader changed', 'no-leader'],
  ['etcdserver: mvcc: database space exceeded', 'no-space'],
  ['etcdserver: corrupt', 'corrupt'],
  ['etcdserver: mvcc: required revision has been compacted', 'compacted'],
  ['etcdserver: request timed out', 'timeout'],
]

export const etcdErrorKind = (message: string, grpcCode: number): EtcdErrorKind =>
  kinds.find(([text]) => message.includes(text))?.[1] ?? (grpcCode === 4 ? 'timeout' : 'other')
