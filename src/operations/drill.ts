import {
  createObserver,
  type DrillMoment,
  type DrillReport,
  type KillMasterOptions,
  killMaster,
} from '../drills/index.ts'
import type { Report } from '../events.ts'
import { operatorCredentials } from './credentials.ts'
import { readDeclared } from './declared.ts'
import { renderAdminKubeconfig } from './export-kubeconfig.ts'
import { withOperationLock } from './lock.ts'
import type { Operation } from './operation.ts'

export interface DrillOptions extends KillMasterOptions {
  /** Also when the cluster is not at full strength. */
  force?: boolean
}

/** How a drill is shown while it runs. */
export interface DrillView {
  watch(moment: DrillMoment): void
  report: Report
}

/** Kills one master's machine while a client of its own writes, and judges what happens. */
export async function drillKillMaster(
  operation: Operation,
  cluster: string,
  options: DrillOptions,
  view: DrillView,
): Promise<DrillReport> {
  const { declaration } = await readDeclared(operation.store, cluster)
  const cloud = await operation.cloud(declaration.cluster.spec.cloud)
  const credentials = await operatorCredentials(operation, cluster)
  const kubeconfig = { content: await renderAdminKubeconfig(operation, cluster) }
  const { certPem: cert, keyPem: key } = credentials.etcd
  const observer = await createObserver({
    cloud,
    cluster,
    kubeconfig,
    etcdIdentity: { ca: credentials.etcdCaPem, cert, key },
  })
  const { force, ...kill } = options
  const context = { cloud, cluster, kubeconfig, observer, watch: view.watch, signal: operation.stop }
  // Two drills at once could cost the quorum, and one in the middle of a change as well.
  return withOperationLock({ ...operation, report: view.report }, cluster, () =>
    killMaster({ ...context, force: force ?? false }, kill, view.report),
  )
}
