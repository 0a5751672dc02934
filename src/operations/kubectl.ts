import { join } from 'node:path'
import { readAsset } from '../assets/cache.ts'
import { kubernetesRecipe } from '../assets/catalog.ts'
import { assetId } from '../assets/recipe.ts'
import { resolveAssets } from '../assets/resolve.ts'
import { componentVersions } from '../assets/versions.ts'
import { kubernetes } from '../constants.ts'
import { HoldfastError } from '../errors.ts'
import type { Home } from '../home.ts'
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

/**
 * Path of the default version's kubectl, for what it answers without a cluster. A question installs and builds nothing.
 * @throws HoldfastError `assets-missing`.
 */
export async function cachedKubectl({ cache }: Pick<Home, 'cache'>): Promise<string> {
  const version = kubernetes.defaultVersion
  const asset = await readAsset(cache, assetId(kubernetesRecipe(componentVersions(version))), {
    verify: false,
  })
  if (asset) return join(asset.dir, 'kubectl')
  throw new HoldfastError('assets-missing', `kubectl ${version} is not in the cache yet`, {
    remedy: 'Get it with `holdfast assets fetch`; `holdfast up` does so too.',
  })
}
