import { HoldfastError, messageOf } from '../errors.ts'
import type { Declaration } from '../spec/types.ts'
import { checkWritable } from '../store/open.ts'
import { applyCluster } from './apply.ts'
import { writeFirst } from './create.ts'
import { tryReadDeclared } from './declared.ts'
import { exportKubeconfig } from './export-kubeconfig.ts'
import { withOperationLock } from './lock.ts'
import { logsHint, type Operation } from './operation.ts'
import { prepareMachine } from './prepare.ts'
import { writeDeclared } from './replace.ts'
import { validateCluster } from './validate.ts'

/**
 * What `up` is to declare, given what is declared already.
 * @throws InvalidInputError when that is something else, and not to be changed by `up`.
 */
export type Wanted = (existing: Declaration | undefined) => Promise<Declaration>

/**
 * Brings a cluster up: declares it where it is not declared yet, carries out its plan, and waits
 * until every check passes. Run again it changes nothing; killed at any moment and run again, it
 * completes. What was made is kept when it fails.
 * @throws HoldfastError `cluster-not-ready` with the condition it waited for and the last reason.
 */
export async function up(
  operation: Operation,
  cluster: string,
  wanted: Wanted,
  options: { timeoutMs: number },
): Promise<{ context: string; changed: boolean }> {
  const existing = await tryReadDeclared(operation.store, cluster)
  const declaration = await wanted(existing?.declaration)
  await prepareMachine(operation, declaration.cluster)
  const declaredNow = await declare(operation, cluster, wanted)
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

/**
 * Preparing this machine may take long, and others may have declared the cluster or changed it
 * since: what counts is what is declared under the lock.
 * @returns whether anything was written.
 */
async function declare(operation: Operation, cluster: string, wanted: Wanted): Promise<boolean> {
  await checkWritable(operation.store)
  return withOperationLock(operation, cluster, async () => {
    const declared = await tryReadDeclared(operation.store, cluster)
    const declaration = await wanted(declared?.declaration)
    if (declared) return writeDeclared(operation, declared, declaration)
    await writeFirst(operation, declaration)
    return true
  })
}
