import { HoldfastError, InvalidInputError } from '../errors.ts'
import { joinDocuments } from '../spec/load.ts'
import { nearest } from '../spec/nearest.ts'
import { parseDocuments } from '../spec/parse.ts'
import type { Declaration } from '../spec/types.ts'
import { isKey, keys } from '../store/keys.ts'
import { type StateStore, StoreUnavailableError } from '../store/store.ts'

/** A declaration as it is in the store, with the revision of every document it was read from. */
export interface Declared {
  declaration: Declaration
  /** By key. */
  revisions: Record<string, number>
}

/** Names of the clusters that are declared in this store, sorted. */
export async function declaredClusters(store: StateStore): Promise<string[]> {
  const found = await store.list('')
  return found
    .filter((key) => /^[^/]+\/cluster\.yaml$/.test(key))
    .map((key) => key.slice(0, -'/cluster.yaml'.length))
}

/** @throws HoldfastError `cluster-not-found`, with the name that was most likely meant. */
export async function requireCluster(store: StateStore, cluster: string): Promise<void> {
  const known = isKey(keys.clusterSpec(cluster)) && (await store.get(keys.clusterSpec(cluster)))
  if (!known) throw await clusterNotFound(store, cluster)
}

/** @throws HoldfastError `cluster-not-found`. */
export async function readDeclared(store: StateStore, cluster: string): Promise<Declared> {
  const declared = await tryReadDeclared(store, cluster)
  if (!declared) throw await clusterNotFound(store, cluster)
  return declared
}

/** Undefined when no such cluster is declared. */
export async function tryReadDeclared(store: StateStore, cluster: string): Promise<Declared | undefined> {
  const specKey = keys.clusterSpec(cluster)
  if (!isKey(specKey)) return undefined
  const spec = await store.get(specKey)
  if (!spec) return undefined
  const revisions: Record<string, number> = { [specKey]: spec.revision }
  const texts = [spec.value]
  for (const { key, value, revision } of await store.entries(keys.groups(cluster))) {
    revisions[key] = revision
    texts.push(value)
  }
  const parsed = parseDocuments(texts.join('---\n'), `${store.location}/${cluster}`)
  const joined = joinDocuments(parsed.documents)
  const problems = [...parsed.problems, ...joined.problems]
  const { declaration } = joined
  if (!declaration || problems.some((problem) => problem.severity === 'error')) {
    throw new InvalidInputError(
      `What is declared of ${cluster} in ${store.location} cannot be read`,
      problems,
    )
  }
  return { declaration, revisions }
}

/** Of a cluster whose data is gone, or partly, nothing can be made any more. @throws HoldfastError `deletion-unfinished`. */
export async function refuseUnfinishedDeletion(store: StateStore, cluster: string): Promise<void> {
  const key = keys.deletion(cluster)
  if (!isKey(key) || !(await store.get(key))) return
  throw new HoldfastError(
    'deletion-unfinished',
    `The deletion of ${cluster} was not finished: its data is gone, or a part of it`,
    {
      remedy: `Finish it: \`holdfast delete cluster ${cluster} --yes --state ${store.location}\`. Then the name is free.`,
      exitCode: 2,
    },
  )
}

/** For whoever waits for the cluster. A store that does not answer tells nothing. @throws HoldfastError `cluster-deleted`. */
export async function refuseDeleted(store: StateStore, cluster: string): Promise<void> {
  try {
    const declared = await store.get(keys.clusterSpec(cluster))
    if (declared && !(await store.get(keys.deletion(cluster)))) return
  } catch (error) {
    if (error instanceof StoreUnavailableError) return
    throw error
  }
  throw clusterDeleted(cluster)
}

export const clusterDeleted = (cluster: string) =>
  new HoldfastError('cluster-deleted', `${cluster} was deleted meanwhile, or is just being deleted`, {
    remedy: `Once it is gone, \`holdfast up ${cluster}\` makes a new one.`,
    exitCode: 4,
  })

export async function clusterNotFound(store: StateStore, cluster: string): Promise<HoldfastError> {
  const known = await declaredClusters(store)
  const meant = nearest(cluster, known)
  const remedy = meant
    ? `Did you mean ${meant}?`
    : known.length > 0
      ? `There are: ${known.join(', ')}.`
      : 'Is it the right store? HOLDFAST_HOME, HOLDFAST_STATE_STORE and --state say which. `holdfast up` makes a cluster.'
  return new HoldfastError('cluster-not-found', `There is no cluster "${cluster}" in ${store.location}`, {
    remedy,
    exitCode: 2,
  })
}
