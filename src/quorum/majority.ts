/** How many voters must agree. */
export const majority = (voters: number): number => Math.floor(voters / 2) + 1

/** How many voters may be lost while a majority remains. */
export const faultTolerance = (voters: number): number => voters - majority(Math.max(voters, 1))

/** How many of the voters that are alive now may still be lost before writes stop; negative: quorum is lost already. */
export const mayLose = (voters: number, healthy: number): number => healthy - majority(voters)

export const hasQuorum = (voters: number, healthy: number): boolean =>
  voters > 0 && healthy >= majority(voters)

/**
 * Whether one voter may be removed: the healthy voters that remain must be a majority of the
 * smaller cluster. The same rule as etcd's strict reconfiguration check
 * (go.etcd.io/etcd server/etcdserver/api/membership, IsReadyToRemoveVotingMember).
 */
export function mayRemoveVoter(voters: readonly { id: string; healthy: boolean }[], id: string): boolean {
  const rest = voters.filter((voter) => voter.id !== id)
  return hasQuorum(rest.length, rest.filter((voter) => voter.healthy).length)
}
