import type { Cloud, CloudStep } from '../clouds/cloud.ts'
import { asStep } from '../events.ts'
import { ensureClusterPki } from '../pki/cluster-pki.ts'
import type { HeldLock } from '../store/lock.ts'
import { type StateStore, StoreConflictError } from '../store/store.ts'
import { throwOnProblems } from './create.ts'
import type { Declared } from './declared.ts'
import { type Journal, openJournal } from './journal.ts'
import { refuseLostLock, withOperationLock } from './lock.ts'
import { type Operation, throwIfStopped } from './operation.ts'
import { type Plan, planCluster } from './plan.ts'
import { fetchAssets } from './prepare.ts'

/** A declaration that changes more often than this while it is being applied is left to its editors. */
const planAttempts = 5

/**
 * Makes what is there equal to what is declared: observes, plans, and carries out the very array
 * that `planCluster` shows. Killed at any moment and run again, it completes; run once more, it
 * changes nothing. A declaration that was changed in between is planned again.
 * @param show called with the plan before its first step.
 * @throws InvalidInputError when the declaration or the cloud has errors; nothing was changed then.
 */
export async function applyCluster(
  operation: Operation,
  cluster: string,
  options: { show?: (plan: Plan) => void } = {},
): Promise<Plan> {
  return withOperationLock(operation, cluster, async (lock) => {
    for (let attempt = 1; ; attempt++) {
      const plan = await planCluster(operation, cluster)
      throwOnProblems(plan.problems, `${cluster} cannot be carried out as it is declared`)
      options.show?.(plan)
      try {
        await carryOut(operation, plan, lock)
        return plan
      } catch (error) {
        if (!(error instanceof StoreConflictError) || attempt === planAttempts) throw error
        operation.report({ type: 'note', message: `${cluster} was changed in between: planning again` })
      }
    }
  })
}

async function carryOut(operation: Operation, plan: Plan, lock: HeldLock): Promise<void> {
  const { store } = operation
  const { cluster, declared } = plan
  // Machines read their authorities from the store as soon as they boot.
  await ensureClusterPki(store, cluster)
  const cloud = await operation.cloud(declared.declaration.cluster.spec.cloud)
  await cloud.refreshNetwork?.(cluster)
  if (plan.steps.length === 0) return
  await fetchAssets(operation, declared.declaration.cluster)
  const journal = await openJournal(store, cluster, 'update')
  try {
    await journal.planned(plan.steps)
    await carryOutSteps(operation, cloud, cluster, plan.steps, {
      journal,
      before: async () => {
        await refuseLostLock(lock, cluster)
        await throwIfChanged(store, declared)
      },
    })
    await journal.end()
  } catch (error) {
    await journal.end(error).catch(() => {})
    throw error
  }
}

/**
 * One step after the other; neighbours that do the same to different things go side by side.
 * Stops between steps when asked to.
 */
export async function carryOutSteps(
  operation: Operation,
  cloud: Cloud,
  cluster: string,
  steps: readonly CloudStep[],
  around: { journal?: Journal; before?: (batch: readonly CloudStep[]) => Promise<void> },
): Promise<void> {
  for (const batch of batches(steps)) {
    throwIfStopped(operation, cluster)
    await around.before?.(batch)
    const results = await Promise.allSettled(
      batch.map((step) =>
        asStep(operation.report, `${step.action} ${step.where}`, titleOf(step), async () => {
          await around.journal?.mark(step, 'running')
          await cloud.carryOut(cluster, step, operation.report)
          await around.journal?.mark(step, 'done')
        }),
      ),
    )
    for (const [index, result] of results.entries()) {
      const step = batch[index]
      if (result.status === 'fulfilled' || !step) continue
      await around.journal?.mark(step, 'failed')
      throw result.reason
    }
  }
}

/** Neighbouring steps of one action. */
export function batches(steps: readonly CloudStep[]): CloudStep[][] {
  const found: CloudStep[][] = []
  for (const step of steps) {
    const last = found.at(-1)
    if (last?.[0]?.action === step.action) last.push(step)
    else found.push([step])
  }
  return found
}

/** `where` begins with what it is: `volume main of seat a`. */
function titleOf({ action, where }: CloudStep): string {
  const [verb = ''] = action.split('-')
  return `${verb.charAt(0).toUpperCase()}${verb.slice(1)} ${where}`
}

/** @throws StoreConflictError when any document is not what the plan was made from. */
async function throwIfChanged(store: StateStore, declared: Declared): Promise<void> {
  for (const [key, revision] of Object.entries(declared.revisions)) {
    if ((await store.get(key))?.revision === revision) continue
    throw new StoreConflictError(key, `${key} was changed since the plan was made`)
  }
}
