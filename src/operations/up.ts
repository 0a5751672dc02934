import { HoldfastError, messageOf } from '../errors.ts'
import type { Declaration } from '../spec/types.ts'
import { applyCluster } from './apply.ts'
import { createCluster } from './create.ts'
import { tryReadDeclared } from './declared.ts'
import { exportKubeconfig } from './export-kubeconfig.ts'
import { withOperationLock } from './lock.ts'
import { logsHint, type Operation } from './operation.ts'
import { prepareMachine } from './prepare.ts'
import { writeDeclared } from './replace.ts'
import { validateCluster } from './validate.ts'

/**
 * Brings a cluster up: declares it where it is not declared yet, carries out its plan, and waits
 * until every check passes. Run again it changes nothing; killed at any moment and run again, it
 * completes. What was made is kept when it fails.
 * @throws HoldfastError `cluster-not-ready` with the condition it waited for and the last reason.
 */
export async function up(
  operation: Operation,
  declaration: Declaration,
  options: { timeoutMs: number },
): Promise<{ context: string; changed: boolean }> {
  const cluster = declaration.cluster.metadata.name
  await prepareMachine(operation, declaration.cluster)
  const declaredNow = await declare(operation, cluster, declaration)
  const plan = await applyCluster(operation, cluster)
  const changed = declaredNow || plan.steps.length > 0
  try {
    await validateCluster(operation, cluster, { waitMs: options.timeoutMs, mustPass: true })
  } catch (error) {
    if (error instanceof HoldfastError && error.exitCode === 130) throw error
    throw new HoldfastError('cluster-not-ready', messageOf(error), {
      remedy: `Everything was kept. ${logsHint(operation, cluster)} The same command goes on from here; \`holdfast delete cluster ${cluster} --yes\` removes it.`,
      exitCode: 3,
      cause: error,
    })
  }
  const { context } = await exportKubeconfig(operation, cluster)
  return { context, changed }
}

/** @returns whether anything was written. */
async function declare(operation: Operation, cluster: string, declaration: Declaration): Promise<boolean> {
  if (!(await tryReadDeclared(operation.store, cluster))) {
    try {
      await createCluster(operation, declaration)
      return true
    } catch (error) {
      // Another `up` of the same name was quicker: what it declared is compared below.
      if (!(error instanceof HoldfastError && error.code === 'cluster-exists')) throw error
    }
  }
  return withOperationLock(operation, cluster, async () => {
    const declared = await tryReadDeclared(operation.store, cluster)
    if (!declared) return false
    return writeDeclared(operation, declared, declaration)
  })
}
