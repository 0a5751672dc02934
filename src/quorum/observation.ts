import type { Genesis, MemberRecord, Stamp } from './records.ts'

/** Everything that the next step of one etcd member depends on. */
export interface MemberObservation {
  seat: string
  etcd: string
  /** The epoch of this machine's claim to the seat. */
  claimEpoch: number
  disk: Disk
  /** `unknown`: the store does not answer and nothing is remembered. */
  genesis: Genesis | 'none' | 'unknown'
  /** False: genesis and record are what this machine remembers from before. */
  storeReachable: boolean
  record: MemberRecord
  /** Another seat's record, a backup or a remembered genesis shows that the cluster existed before. */
  signsOfFormation: readonly string[]
  /** The seats that are declared; they become the founders. */
  declaredSeats: readonly string[]
  /** How etcd runs on this machine: the short-lived founding process, the static pod, or not. */
  running: 'no' | 'founding' | 'pod'
  /** What the members say; undefined while nobody answers. */
  cluster?: ClusterView
  /** The ids of the voters that seats gave up as lost. */
  lostMemberIds: readonly string[]
  /** Ids in any seat's record. */
  recordedMemberIds: readonly string[]
  /** Founders that have not come yet were waited for long enough. */
  formationGraceOver: boolean
  /** This machine runs for so long that the others' connections to the one before it have ended. */
  deadConnectionsEnded: boolean
  /**
   * For so long the own member has served nothing, and come no nearer to doing so. `silent`: nor said anything
   * at all. `follows`: meanwhile it took in what the others wrote.
   */
  stalled?: { ms: number; restarts: number; silent: boolean; follows: boolean }
  /** This member's id as a founder, computed from its peer URL and the token. */
  founderId?: string
}

export type Disk =
  | { kind: 'not-proven'; reason: string }
  | { kind: 'empty'; volumeId: string }
  | {
      kind: 'stamped'
      volumeId: string
      stamp: Stamp
      data: 'none' | 'present' | 'corrupt'
      detail?: string
      /** Why there would be no room for another copy, were this one set aside. */
      noRoom?: string
    }

export interface ClusterView {
  /** Of the cluster that answered; a view of another cluster than the disk's says nothing about its member. */
  clusterId?: string
  /** A linearizable read succeeded. */
  quorum: boolean
  /** Something was written: it has acknowledged writes, whatever the store says. */
  written?: boolean
  members: readonly ViewedMember[]
}

export interface ViewedMember {
  id: string
  /** The seat, as etcd was told at its start; empty until the member has started once. */
  name: string
  isLearner: boolean
  /** It said something just now, whatever it knows. */
  answers: boolean
  /** A voter: it answered a linearizable read by itself. A learner, which refuses those: it knows a leader. */
  healthy: boolean
  /** Learners: close enough to the leader's log to be promoted. */
  caughtUp?: boolean
}

export type MemberStep =
  /** `wait`: look again soon. `refuse`: this disk is never used. `stop`: only an operator goes on. */
  | { do: 'wait' | 'refuse' | 'stop' | 'idle'; reason: string }
  | { do: 'set-aside'; reason: string }
  | { do: 'create-genesis'; founders: readonly string[]; reason: string }
  | { do: 'record-founding'; reason: string }
  /** Runs the founding process (`--initial-cluster-state=new`); never a static pod. */
  | { do: 'found'; reason: string }
  | { do: 'new-attempt'; reason: string }
  | { do: 'record-formed'; reason: string }
  /** Puts the static pod in place; ends the founding process first. */
  | { do: 'start'; reason: string; changesRefused?: true }
  /** Ends the static pod; the next look starts it again. */
  | { do: 'restart'; reason: string }
  | { do: 'mark-lost'; reason: string }
  /** Under the membership lock. */
  | { do: 'remove-members'; ids: readonly string[]; reason: string }
  /** Under the membership lock. */
  | { do: 'add-learner'; reason: string }
  /** Under the membership lock. */
  | { do: 'promote'; id: string; reason: string }
  | { do: 'record-voter'; id: string; reason: string }
