import { HoldfastError, InvalidInputError, type Problem } from '../errors.ts'
import type { Declaration } from '../spec/types.ts'
import { writeCluster, writeGroup } from '../spec/write.ts'
import { keys } from '../store/keys.ts'
import { checkWritable } from '../store/open.ts'
import type { StateStore } from '../store/store.ts'
import { refuseUnfinishedDeletion } from './declared.ts'
import { openJournal } from './journal.ts'
import { withOperationLock } from './lock.ts'
import type { Operation } from './operation.ts'

/**
 * Declares a cluster: writes its documents to the store and makes nothing else. The cluster's own
 * document is written last, so that a declaration that was killed half way does not exist.
 * @throws InvalidInputError with every problem; HoldfastError `cluster-exists`.
 */
export async function createCluster(operation: Operation, declaration: Declaration): Promise<void> {
  const { store } = operation
  const cluster = declaration.cluster.metadata.name
  await checkWritable(store)
  await refuseUnfinishedDeletion(store, cluster)
  if (await store.get(keys.clusterSpec(cluster))) throw clusterExists(cluster)
  await withOperationLock(operation, cluster, async () => {
    if (await store.get(keys.clusterSpec(cluster))) throw clusterExists(cluster)
    await writeFirst(operation, declaration)
  })
}

/** Writes a declaration that is not there yet. Hold the operation lock. */
export async function writeFirst({ store }: Operation, declaration: Declaration): Promise<void> {
  const cluster = declaration.cluster.metadata.name
  await refuseUnfinishedDeletion(store, cluster)
  const journal = await openJournal(store, cluster, 'create')
  const groups = declaration.groups.map((group) => ({
    group,
    key: keys.group(cluster, group.metadata.name),
  }))
  await dropOtherGroups(
    store,
    cluster,
    groups.map(({ key }) => key),
  )
  for (const { key, group } of groups) await store.put(key, writeGroup(group))
  await store.put(keys.clusterSpec(cluster), writeCluster(declaration.cluster), { ifAbsent: true })
  await journal.end()
}

/** @throws InvalidInputError when the cloud could not hold this cluster, naming every reason. */
export function throwOnProblems(problems: readonly Problem[], message: string): void {
  if (problems.some((problem) => problem.severity === 'error'))
    throw new InvalidInputError(message, [...problems])
}

/** Groups that a declaration of the same name left behind when it was killed. */
async function dropOtherGroups(store: StateStore, cluster: string, wanted: readonly string[]): Promise<void> {
  for (const key of await store.list(keys.groups(cluster))) if (!wanted.includes(key)) await store.delete(key)
}

const clusterExists = (cluster: string) =>
  new HoldfastError('cluster-exists', `A cluster "${cluster}" is declared already`, {
    remedy: `See it with \`holdfast get cluster ${cluster}\`, or choose another name.`,
    exitCode: 4,
  })
