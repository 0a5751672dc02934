import { join } from 'node:path'
import { resolveAssets } from '../assets/resolve.ts'
import { readDeclared } from './declared.ts'
import type { Operation } from './operation.ts'

/** Path of the bundled kubectl of this cluster's version. */
export async function kubectlBinary(operation: Operation, cluster: string): Promise<string> {
  const { declaration } = await readDeclared(operation.store, cluster)
  const assets = await resolveAssets({
    kubernetesVersion: declaration.cluster.spec.kubernetesVersion,
    cache: operation.home.cache,
    report: operation.report,
    stop: operation.stop,
  })
  return join(assets.binDir, 'kubectl')
}
