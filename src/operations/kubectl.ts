import { join } from 'node:path'
import { readAsset } from '../assets/cache.ts'
import { kubernetesRecipe } from '../assets/catalog.ts'
import { findDamage } from '../assets/damage.ts'
import { assetId, obtain } from '../assets/recipe.ts'
import { assetContext } from '../assets/resolve.ts'
import { componentVersions } from '../assets/versions.ts'
import { kubernetes } from '../constants.ts'
import { HoldfastError } from '../errors.ts'
import type { Home } from '../home.ts'
import { readDeclared } from './declared.ts'
import type { Operation } from './operation.ts'

/** Path of the bundled kubectl of this cluster's version. */
export async function kubectlBinary(operation: Operation, cluster: string): Promise<string> {
  const { declaration } = await readDeclared(operation.store, cluster)
  const { kubernetesVersion } = declaration.cluster.spec
  const { home, report, stop } = operation
  const context = await assetContext({ kubernetesVersion, cache: home.cache, report, stop })
  const { dir } = await obtain(kubernetesRecipe(componentVersions(kubernetesVersion)), context)
  return join(dir, 'kubectl')
}

/**
 * Path of the default version's kubectl, for what it answers without a cluster. A question installs and builds nothing.
 * @throws HoldfastError `assets-missing`, `asset-damaged`.
 */
export async function cachedKubectl({ cache }: Pick<Home, 'cache'>): Promise<string> {
  const version = kubernetes.defaultVersion
  const asset = await readAsset(cache, assetId(kubernetesRecipe(componentVersions(version))))
  if (!asset) {
    throw new HoldfastError('assets-missing', `kubectl ${version} is not in the cache yet`, {
      remedy: 'Get it with `holdfast assets fetch`; `holdfast up` does so too.',
    })
  }
  const damage = await findDamage(asset)
  if (damage !== undefined) {
    throw new HoldfastError('asset-damaged', `kubectl ${version} in the cache cannot be used: ${damage}`, {
      remedy: 'Get it again with `holdfast assets fetch`; `holdfast up` does so too.',
    })
  }
  return join(asset.dir, 'kubectl')
}
