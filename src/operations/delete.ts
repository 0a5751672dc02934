import type { Cloud, CloudStep, Inventory } from '../clouds/cloud.ts'
import { HoldfastError, InvalidInputError } from '../errors.ts'
import { planDelete } from '../plan/delete.ts'
import type { ClusterSpec } from '../spec/types.ts'
import { isKey, keys } from '../store/keys.ts'
import type { HeldLock } from '../store/lock.ts'
import { carryOutSteps } from './apply.ts'
import { forgetCredentials } from './credentials.ts'
import { clusterNotFound, tryReadDeclared } from './declared.ts'
import { checkKubeconfig, removeKubeconfig } from './export-kubeconfig.ts'
import { refuseLostLock, withOperationLock } from './lock.ts'
import type { Operation } from './operation.ts'

/** More rounds than a deletion ever needs: machines that were just starting are seen in the next. */
const rounds = 5

/** What would go. @throws HoldfastError `cluster-not-found` when nothing of that name is anywhere. */
export async function planDeletion(operation: Operation, cluster: string): Promise<CloudStep[]> {
  const cloud = await cloudOf(operation, cluster)
  const own = await observeOwn(operation, cloud, cluster)
  return own ? planDelete(own) : []
}

/**
 * Removes a cluster: machines, volumes, network, the kubeconfig's context, and last what the store
 * holds, so that a deletion that was killed is found again and finished by the same command.
 */
export async function deleteCluster(operation: Operation, cluster: string): Promise<void> {
  const cloud = await cloudOf(operation, cluster)
  await withOperationLock(operation, cluster, async (lock) => {
    // Context and credentials are of the machines, which are another store's then.
    if (await observeOwn(operation, cloud, cluster)) {
      await checkKubeconfig(operation, cluster)
      await removeEverything(operation, cloud, cluster, lock)
      await removeKubeconfig(operation, cluster)
      await forgetCredentials(operation.home, cluster)
    }
    await refuseLostLock(lock, cluster)
    await removeFromStore(operation, cluster)
  })
}

/** What is there; undefined, which is said, where the cloud's things of that name are another store's cluster. */
async function observeOwn(
  operation: Operation,
  cloud: Cloud,
  cluster: string,
): Promise<Inventory | undefined> {
  const seen = await observeOrRefusal(cloud, cluster)
  if (!(seen instanceof HoldfastError)) return seen
  const message = `${seen.message}: they stay, and only what this store holds of ${cluster} goes`
  operation.report({ type: 'note', message })
  return undefined
}

const observeOrRefusal = (cloud: Cloud, cluster: string): Promise<Inventory | HoldfastError> =>
  cloud.observe(cluster).catch((error: unknown) => {
    if (error instanceof HoldfastError && error.code === 'other-store') return error
    throw error
  })

async function removeEverything(
  operation: Operation,
  cloud: Cloud,
  cluster: string,
  lock: HeldLock,
): Promise<void> {
  const before = async (batch: readonly CloudStep[]): Promise<void> => {
    await refuseLostLock(lock, cluster)
    if (batch.some(({ action }) => action === 'delete-volume')) await markDeletion(operation, cluster)
  }
  for (let round = 1; round <= rounds; round++) {
    const steps = planDelete(await cloud.observe(cluster))
    if (steps.length === 0) return
    await carryOutSteps(operation, cloud, cluster, steps, { before })
  }
  const left = planDelete(await cloud.observe(cluster))
  if (left.length === 0) return
  throw new HoldfastError('delete-incomplete', `Still there: ${left.map((step) => step.where).join(', ')}`, {
    remedy: 'Run the same command again.',
  })
}

/** Before the first thing goes that nobody could make again. */
const markDeletion = ({ store }: Operation, cluster: string): Promise<unknown> =>
  store.put(keys.deletion(cluster), '{}\n')

/** The cluster's own document goes late, its mark last, and after it the lock as it ends: until then the deletion can be repeated. */
async function removeFromStore(operation: Operation, cluster: string): Promise<void> {
  const { store } = operation
  await markDeletion(operation, cluster)
  const last = [keys.clusterSpec(cluster), keys.deletion(cluster)]
  const kept = [...last, keys.lock(cluster, 'operation')]
  for (const key of await store.list(keys.cluster(cluster))) if (!kept.includes(key)) await store.delete(key)
  for (const key of last) await store.delete(key)
}

/** Also for a declaration that can no longer be read: a deletion must always be possible. */
async function cloudOf(operation: Operation, cluster: string): Promise<Cloud> {
  const kind = await declaredKind(operation, cluster)
  if (kind !== undefined) return operation.cloud(kind)
  // Not declared, or no longer: what a former deletion left is still found by its name.
  const local = await operation.cloud('local')
  if (isKey(keys.clusterSpec(cluster))) {
    // An `up` that was killed before it declared anything left its lock, a declaration that was killed its groups.
    if ((await operation.store.list(keys.cluster(cluster))).length > 0) return local
    const known = (await local.clusters()).includes(cluster)
    if (known && !((await observeOrRefusal(local, cluster)) instanceof HoldfastError)) return local
  }
  throw await clusterNotFound(operation.store, cluster)
}

async function declaredKind(
  operation: Operation,
  cluster: string,
): Promise<ClusterSpec['spec']['cloud'] | undefined> {
  try {
    return (await tryReadDeclared(operation.store, cluster))?.declaration.cluster.spec.cloud
  } catch (error) {
    if (error instanceof InvalidInputError) return 'local'
    throw error
  }
}
