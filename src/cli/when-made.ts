import { HoldfastError, InvalidInputError } from '../errors.ts'
import type { Operation } from '../operations/operation.ts'

/**
 * Runs what needs a cluster that is made. Where it is not, the advice is to make it, unless its cloud or its
 * declaration stand in the way: then that is said, as `update cluster --yes` would.
 */
export async function whenMade<T>(
  operation: Operation,
  cluster: string,
  action: () => Promise<T>,
): Promise<T> {
  try {
    return await action()
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'cluster-not-made') throw error
    const { planCluster } = await import('../operations/plan.ts')
    // Where even that cannot be found out, what is known already is said.
    const problems = await planCluster(operation, cluster).then(
      (plan) => plan.problems,
      () => [],
    )
    if (!problems.some(({ severity }) => severity === 'error')) throw error
    throw new InvalidInputError(`Nothing of cluster ${cluster} is made, nor can be as it is declared`, [
      ...problems,
    ])
  }
}
