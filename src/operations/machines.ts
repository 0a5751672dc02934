import type { Cloud, Machine } from '../clouds/cloud.ts'
import { HoldfastError } from '../errors.ts'
import { nearest } from '../spec/nearest.ts'
import { declaredClusters, readDeclared } from './declared.ts'
import type { Operation } from './operation.ts'

/**
 * A machine by its name, in one cluster or in all of them. A cluster that cannot be read hides no machine of
 * another one.
 * @throws HoldfastError `machine-not-found`, with the name that was most likely meant; where a cluster could
 * not be read, what kept it from that.
 */
export async function findMachine(
  operation: Operation,
  name: string,
  cluster?: string,
): Promise<{ cloud: Cloud; cluster: string; machine: Machine }> {
  const clusters = cluster === undefined ? await declaredClusters(operation.store) : [cluster]
  const known: string[] = []
  const failures: unknown[] = []
  for (const candidate of clusters) {
    try {
      const { declaration } = await readDeclared(operation.store, candidate)
      const cloud = await operation.cloud(declaration.cluster.spec.cloud)
      const { machines } = await cloud.observe(candidate)
      const machine = machines.find(({ id }) => id === name)
      if (machine) return { cloud, cluster: candidate, machine }
      known.push(...machines.map(({ id }) => id))
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
  const meant = nearest(name, known)
  throw new HoldfastError('machine-not-found', `There is no machine "${name}"`, {
    remedy: meant
      ? `Did you mean ${meant}?`
      : known.length > 0
        ? `There are: ${known.join(', ')}.`
        : 'There are none.',
    exitCode: 2,
  })
}
