import type { CheckResult } from '../checks/check.ts'
import { createCheckContext } from '../checks/context.ts'
import { clusterChecks } from '../checks/list.ts'
import { runChecks, waitForChecks } from '../checks/run.ts'
import { readHeartbeat } from '../store/heartbeats.ts'
import { operatorCredentials } from './credentials.ts'
import { readDeclared, refuseDeleted } from './declared.ts'
import { type Operation, throwIfStopped } from './operation.ts'

/**
 * Runs every check, all side by side, or waits until all pass.
 * @throws HoldfastError `checks-not-passed` when `mustPass` and the time is over, be it none at all;
 *   `cluster-deleted` as soon as there is nothing to wait for.
 */
export async function validateCluster(
  operation: Operation,
  cluster: string,
  options: { waitMs: number; mustPass?: boolean },
): Promise<CheckResult[]> {
  const { declaration } = await readDeclared(operation.store, cluster)
  const cloud = await operation.cloud(declaration.cluster.spec.cloud)
  const credentials = await operatorCredentials(operation, cluster)
  const heartbeat = (machine: string) => readHeartbeat(operation.store, cluster, machine)
  const context = createCheckContext({ cloud, declaration, heartbeat, credentials })
  try {
    if (options.waitMs === 0 && !options.mustPass) return await runChecks(clusterChecks, context)
    return await waitForChecks(clusterChecks, context, {
      timeoutMs: options.waitMs,
      report: operation.report,
      mustPass: options.mustPass ?? false,
      between: async () => {
        throwIfStopped(operation, cluster)
        await refuseDeleted(operation.store, cluster)
      },
    })
  } finally {
    context.close()
  }
}
