import { InvalidInputError } from '../errors.ts'
import type { ClusterSpec, Declaration } from '../spec/types.ts'
import type { Operation } from './operation.ts'

/**
 * Reports what may become a problem of this machine.
 * @throws InvalidInputError naming everything that it lacks, those warnings too, in one list; nothing was changed.
 */
export async function checkMachine(operation: Operation, declaration: Declaration): Promise<void> {
  const { cloud: kind } = declaration.cluster.spec
  if (kind !== 'local') return
  const problems = await (await operation.cloud(kind)).check(declaration)
  if (problems.some((problem) => problem.severity === 'error')) {
    throw new InvalidInputError(
      'This machine cannot hold a cluster as it is',
      problems,
      'Nothing was changed.',
    )
  }
  for (const { message, remedy } of problems) {
    operation.report({ type: 'warning', message: remedy ? `${message}. ${remedy}` : message })
  }
}

/** Packages of this machine that are missing, and what machines are made from. */
export async function fetchAssets(operation: Operation, cluster: ClusterSpec): Promise<void> {
  if (cluster.spec.cloud === 'local') await operation.assets(cluster.spec.kubernetesVersion)
}
