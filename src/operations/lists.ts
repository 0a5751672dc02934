import type { Inventory, Machine } from '../clouds/cloud.ts'
import { HoldfastError, InvalidInputError, type Problem } from '../errors.ts'
import type { Declaration, InstanceGroupSpec } from '../spec/types.ts'
import { type Heartbeat, readHeartbeat } from '../store/heartbeats.ts'
import type { StateStore } from '../store/store.ts'
import { declaredClusters, readDeclared } from './declared.ts'
import type { Operation } from './operation.ts'

/**
 * Every declared cluster, or the one that is named.
 * @param leftOut is told of each cluster whose declaration is damaged. It is left out then, unless it is the one
 * that is named or no other can be read.
 * @throws HoldfastError `cluster-not-found`; `store-corrupt` or `invalid-input` for a damaged declaration.
 */
export async function listClusters(
  store: StateStore,
  name: string | undefined,
  leftOut: (problem: Problem) => void,
): Promise<Declaration[]> {
  const names = name === undefined ? await declaredClusters(store) : [name]
  const found: Declaration[] = []
  const damaged: { cluster: string; error: HoldfastError }[] = []
  for (const cluster of names) {
    try {
      found.push((await readDeclared(store, cluster)).declaration)
    } catch (error) {
      if (!isDamage(error)) throw error
      damaged.push({ cluster, error })
    }
  }
  const [first] = damaged
  if (first && found.length === 0) throw first.error
  for (const { cluster, error } of damaged) leftOut(damageOf(cluster, error))
  return found
}

const isDamage = (error: unknown): error is HoldfastError =>
  error instanceof InvalidInputError || (error instanceof HoldfastError && error.code === 'store-corrupt')

const damageOf = (cluster: string, { message, remedy }: HoldfastError): Problem => ({
  severity: 'warning',
  path: cluster,
  message,
  remedy: remedy ?? `\`holdfast get cluster ${cluster}\` says what is wrong.`,
})

export async function listGroups(store: StateStore, cluster: string): Promise<InstanceGroupSpec[]> {
  return (await readDeclared(store, cluster)).declaration.groups
}

/** What the cloud has of this cluster now. */
export async function listInventory(operation: Operation, cluster: string): Promise<Inventory> {
  const { declaration } = await readDeclared(operation.store, cluster)
  const cloud = await operation.cloud(declaration.cluster.spec.cloud)
  return cloud.observe(cluster)
}

/** A machine with what its agent last said of itself, where it has said anything. */
export interface ListedMachine extends Machine {
  heartbeat?: Heartbeat
}

export async function listMachines(operation: Operation, cluster: string): Promise<ListedMachine[]> {
  const { machines } = await listInventory(operation, cluster)
  return Promise.all(
    machines.map(async (machine) => {
      const heartbeat = await readHeartbeat(operation.store, cluster, machine.id)
      return { ...machine, ...(heartbeat ? { heartbeat } : {}) }
    }),
  )
}
