import { InvalidInputError } from '../errors.ts'
import type { ClusterSpec } from '../spec/types.ts'
import type { Operation } from './operation.ts'

/**
 * Makes this machine ready to hold a cluster: checks it, installs the packages that are missing, gets
 * or builds what machines are made from.
 */
export async function prepareMachine(operation: Operation, cluster: ClusterSpec): Promise<void> {
  await checkMachine(operation, cluster)
  await fetchAssets(operation, cluster)
}

/** @throws InvalidInputError naming everything that this machine lacks, in one list; nothing was changed. */
export async function checkMachine(operation: Operation, cluster: ClusterSpec): Promise<void> {
  if (cluster.spec.cloud !== 'local') return
  const problems = await operation.preflight()
  for (const problem of problems) {
    if (problem.severity === 'warning') operation.report({ type: 'warning', message: problem.message })
  }
  if (problems.some((problem) => problem.severity === 'error')) {
    throw new InvalidInputError(
      'This machine cannot hold a cluster as it is',
      problems,
      'Nothing was changed.',
    )
  }
}

/** Packages of this machine that are missing, and what machines are made from. */
export async function fetchAssets(operation: Operation, cluster: ClusterSpec): Promise<void> {
  if (cluster.spec.cloud === 'local') await operation.assets(cluster.spec.kubernetesVersion)
}
