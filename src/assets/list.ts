import { type Asset, type AssetSource, assetHome, readAsset } from './cache.ts'
import { binRecipe, imagesRecipe, type Made, probeRecipe, templateRecipe } from './catalog.ts'
import type { OfficialSites } from './official.ts'
import { assetId, type Recipe } from './recipe.ts'
import { type AssetOptions, leafRecipes } from './resolve.ts'
import { componentVersions } from './versions.ts'

/** One line of `holdfast assets list`. */
export interface ListedAsset {
  name: string
  version: string
  present: boolean
  source: AssetSource | undefined
  /** Size of its files; hard links of another asset's files are counted again. */
  bytes: number | undefined
  /** Where it is or will be; undefined while that depends on an asset that is not there. */
  path: string | undefined
}

/** Every asset of a Kubernetes version, whether it is in the cache or not. Changes nothing. */
export async function listAssets(
  options: Pick<AssetOptions, 'kubernetesVersion' | 'cache' | 'verify'>,
): Promise<ListedAsset[]> {
  const versions = componentVersions(options.kubernetesVersion)
  const listed: ListedAsset[] = []
  const look = async (recipe: Recipe): Promise<Asset | undefined> => {
    const id = assetId(recipe)
    const asset = await readAsset(options.cache, id, { verify: options.verify ?? false })
    listed.push({
      name: id.name,
      version: id.version,
      present: asset !== undefined,
      source: asset?.source,
      bytes: asset?.bytes,
      path: assetHome(options.cache, id),
    })
    return asset
  }
  const absent = (name: string) =>
    listed.push({
      name,
      version: versions.kubernetes,
      present: false,
      source: undefined,
      bytes: undefined,
      path: undefined,
    })

  const made: Record<string, Asset> = {}
  const recipes = Object.values(leafRecipes(versions))
  for (const recipe of recipes) {
    const asset = await look(recipe)
    if (asset) made[recipe.name] = asset
  }
  const complete = recipes.every((recipe) => made[recipe.name])
  await look(probeRecipe())
  const images = complete ? await look(imagesRecipe(versions, made as Made)) : absent('images') && undefined
  const bin = complete ? await look(binRecipe(versions, made as Made)) : absent('bin') && undefined
  if (images && bin) await look(templateRecipe(versions, images, bin))
  else absent('containerd-template')
  return listed
}

/**
 * What a cluster's machines still lack: the assets, and the official sites that have those of them
 * which Go builds otherwise. The probe is left out, for no cluster needs it. Changes nothing.
 */
export async function missingAssets(
  options: Pick<AssetOptions, 'kubernetesVersion' | 'cache'>,
): Promise<{ names: string[]; sites: (keyof OfficialSites)[] }> {
  const names = (await listAssets(options))
    .filter(({ name, present }) => !present && name !== 'probe')
    .map(({ name }) => name)
  const sites = Object.values(leafRecipes(componentVersions(options.kubernetesVersion))).flatMap(
    ({ name, release }) => (release && names.includes(name) ? [release.site] : []),
  )
  return { names, sites: [...new Set(sites)] }
}
