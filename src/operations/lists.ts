import type { Inventory } from '../clouds/cloud.ts'
import type { Declaration, InstanceGroupSpec } from '../spec/types.ts'
import type { StateStore } from '../store/store.ts'
import { declaredClusters, readDeclared } from './declared.ts'
import type { Operation } from './operation.ts'

/** Every declared cluster, or the one that is named. @throws HoldfastError `cluster-not-found`. */
export async function listClusters(store: StateStore, name?: string): Promise<Declaration[]> {
  const names = name === undefined ? await declaredClusters(store) : [name]
  return Promise.all(names.map(async (cluster) => (await readDeclared(store, cluster)).declaration))
}

export async function listGroups(store: StateStore, cluster: string): Promise<InstanceGroupSpec[]> {
  return (await readDeclared(store, cluster)).declaration.groups
}

/** What the cloud has of this cluster now. */
export async function listInventory(operation: Operation, cluster: string): Promise<Inventory> {
  const { declaration } = await readDeclared(operation.store, cluster)
  const cloud = await operation.cloud(declaration.cluster.spec.cloud)
  return cloud.observe(cluster)
}
