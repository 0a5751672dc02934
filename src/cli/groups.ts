import { HoldfastError } from '../errors.ts'
import type { InstanceGroupSpec } from '../spec/types.ts'
import type { Cli, CommonOptions } from './context.ts'

/** The groups of these names, in that order. @throws HoldfastError `group-not-found`. */
export function pickGroups(
  cluster: string,
  groups: readonly InstanceGroupSpec[],
  names: readonly string[],
): InstanceGroupSpec[] {
  return names.map((name) => {
    const found = groups.find((group) => group.metadata.name === name)
    if (found) return found
    throw new HoldfastError('group-not-found', `Cluster ${cluster} has no instance group "${name}"`, {
      remedy: `There are: ${groups.map((group) => group.metadata.name).join(', ')}.`,
      exitCode: 2,
    })
  })
}

/**
 * `get ig [GROUP...]`: the words are groups of the cluster that is named by `--name` or HOLDFAST_CLUSTER, or is the
 * only one. A single word that is no group of it, and is a cluster, stands for that cluster's groups, unless
 * `--name` says otherwise.
 */
export async function groupsAskedFor(
  cli: Cli,
  words: readonly string[],
  options: CommonOptions,
): Promise<InstanceGroupSpec[]> {
  const [{ declaredClusters }, { listGroups }, { inSeatOrder }] = await Promise.all([
    import('../operations/declared.ts'),
    import('../operations/lists.ts'),
    import('../spec/master-groups.ts'),
  ])
  const store = await cli.store(options)
  const groupsOf = async (cluster: string) => inSeatOrder(await listGroups(store, cluster))
  const clusters = await declaredClusters(store)
  const [word] = words
  if (
    word !== undefined &&
    words.length === 1 &&
    clusters.includes(word) &&
    (options.name ?? word) === word
  ) {
    const named = cli.givenName(undefined, options) ?? (clusters.length === 1 ? word : undefined)
    const groups = named !== undefined && clusters.includes(named) ? await groupsOf(named) : []
    return groups.some((group) => group.metadata.name === word)
      ? pickGroups(word, groups, words)
      : groupsOf(word)
  }
  const cluster = await cli.clusterName(undefined, options)
  const groups = await groupsOf(cluster)
  return words.length === 0 ? groups : pickGroups(cluster, groups, words)
}
