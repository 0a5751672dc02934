import { HoldfastError, messageOf } from '../errors.ts'
import type { Declaration } from '../spec/types.ts'
import { keys } from '../store/keys.ts'
import { checkWritable } from '../store/open.ts'
import { applyCluster } from './apply.ts'
import { writeFirst } from './create.ts'
import { clusterDeleted, refuseUnfinishedDeletion, tryReadDeclared } from './declared.ts'
import { checkKubeconfig, exportKubeconfig } from './export-kubeconfig.ts'
import { withOperationLock, withUpLock } from './lock.ts'
import { logsHint, type Operation } from './operation.ts'
import { checkMachine, fetchAssets } from './prepare.ts'
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
 * completes. What was made is kept when it fails, and the error says so and where the logs are.
 * A second one of the same cluster waits for the whole of the first. A deletion does not: it waits for the steps
 * alone, and ends the `up` that waits for the checks.
 * @throws HoldfastError `cluster-not-ready` with the conditions it waited for and their last reasons;
 *   `cluster-deleted`.
 */
export async function up(
  operation: Operation,
  cluster: string,
  wanted: Wanted,
  options: { timeoutMs: number },
): Promise<{ context: string; changed: boolean }> {
  await refuseUnfinishedDeletion(operation.store, cluster)
  const existing = await tryReadDeclared(operation.store, cluster)
  const declaration = await wanted(existing?.declaration)
  await checkMachine(operation, declaration)
  await checkKubeconfig(operation)
  await checkWritable(operation.store)
  let wasDeclared = existing !== undefined
  const look = async () => {
    wasDeclared ||= (await operation.store.get(keys.clusterSpec(cluster))) !== undefined
  }
  const bringUp = async () => {
    try {
      await fetchAssets(operation, declaration.cluster)
      const declaredNow = await declare(operation, cluster, wanted, wasDeclared)
      const plan = await applyCluster(operation, cluster)
      await validateCluster(operation, cluster, { waitMs: options.timeoutMs, mustPass: true })
      const { context } = await exportKubeconfig(operation, cluster)
      return { context, changed: declaredNow || plan.steps.length > 0 }
    } catch (error) {
      throw await withWhatIsKept(operation, cluster, error)
    }
  }
  return withUpLock(operation, cluster, bringUp, look)
}

/**
 * The same error, with what it left behind and how to go on. Bad input and interruptions say that
 * themselves.
 */
async function withWhatIsKept(operation: Operation, cluster: string, error: unknown): Promise<unknown> {
  const known = error instanceof HoldfastError ? error : undefined
  if (known?.code === 'cluster-deleted') return error
  // It was declared a moment ago.
  if (known?.code === 'cluster-not-found') return clusterDeleted(cluster)
  if (known?.exitCode === 2 || known?.exitCode === 130) return error
  const notReady = known?.code === 'checks-not-passed'
  const remedies = [
    known
      ? known.remedy
      : 'This is not an error Holdfast expected; HOLDFAST_DEBUG=1 shows where it happened.',
    await keptText(operation, cluster),
  ]
  return new HoldfastError(notReady ? 'cluster-not-ready' : (known?.code ?? 'unexpected'), messageOf(error), {
    // That of the checks names commands that the text about what is kept has too.
    remedy: remedies
      .slice(notReady ? 1 : 0)
      .filter(Boolean)
      .join(' '),
    exitCode: known?.exitCode ?? 1,
    cause: error,
  })
}

async function keptText(operation: Operation, cluster: string): Promise<string> {
  const isDeclared = await operation.store.get(keys.clusterSpec(cluster)).then(Boolean, () => true)
  return isDeclared
    ? `Everything was kept. ${logsHint(operation, cluster)} The same command goes on from here; \`holdfast delete cluster ${cluster} --yes\` removes it.`
    : 'Nothing is declared yet, and what was prepared was kept: the same command goes on from here.'
}

/**
 * Preparing this machine may take long, and others may have declared the cluster or changed it
 * since: what counts is what is declared under the lock.
 * @returns whether anything was written.
 */
async function declare(
  operation: Operation,
  cluster: string,
  wanted: Wanted,
  wasDeclared: boolean,
): Promise<boolean> {
  return withOperationLock(operation, cluster, async () => {
    const declared = await tryReadDeclared(operation.store, cluster)
    // What somebody took away in between is not made again behind their back. A deletion takes the record of an `up`
    // away as well, so one that has declared nothing yet learns of it too.
    const isWanted = !wasDeclared && (await operation.store.get(keys.lock(cluster, 'up')))
    if (!declared && !isWanted) throw clusterDeleted(cluster)
    const declaration = await wanted(declared?.declaration)
    if (declared) return writeDeclared(operation, declared, declaration)
    await writeFirst(operation, declaration)
    return true
  })
}
