/** How many voters must agree. */
export const majority = (voters: number): number => Math.floor(voters / 2) + 1

/** How many voters may be lost while a majority remains. */
export const faultTolerance = (voters: number): number => voters - majority(Math.max(voters, 1))

/** How many of the voters that are alive now may still be lost before writes stop; negative: quorum is lost already. */
export const mayLose = (voters: number, healthy: number): number => healthy - majority(voters)

export const hasQuorum = (voters: number, healthy: number): boolean =>
  voters > 0 && healthy >= majority(voters)
