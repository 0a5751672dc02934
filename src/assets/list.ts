import { isErrno, messageOf } from '../errors.ts'
import { type Asset, type AssetSource, assetHome, readAsset } from './cache.ts'
import { binRecipe, imagesRecipe, type Made, probeRecipe, templateRecipe } from './catalog.ts'
import { findDamage, type LookOptions } from './damage.ts'
import type { OfficialSites } from './official.ts'
import { assetId, type Recipe } from './recipe.ts'
import { type AssetOptions, leafRecipes } from './resolve.ts'
import { componentVersions } from './versions.ts'

/** One line of `holdfast assets list`. */
export interface ListedAsset {
  name: string
  version: string
  present: boolean
  /** What is wrong with it, so that it is made again when it is next needed. */
  damage: string | undefined
  /** Why its files could not be looked at: they are another user's. */
  unseen: string | undefined
  source: AssetSource | undefined
  /** Size of its files; hard links of another asset's files are counted again. */
  bytes: number | undefined
  /** Where it is or will be; undefined while that depends on an asset that is not there. */
  path: string | undefined
}

/**
 * Every asset of a Kubernetes version, whether it is in the cache or not. Makes and removes nothing, but remembers what
 * it verified, as every command does: the first look at a new cache reads every file.
 */
export async function listAssets(
  options: Pick<AssetOptions, 'kubernetesVersion' | 'cache' | 'verify'>,
): Promise<ListedAsset[]> {
  const { cache, verify: all = false } = options
  const listed: ListedAsset[] = []
  for (const { name, version, recipe, asset } of await lookAtAssets(options)) {
    listed.push({
      name,
      version,
      present: asset !== undefined,
      ...(await lookInto(asset, { all, linked: recipe?.linked ?? false })),
      source: asset?.source,
      bytes: asset?.bytes,
      path: recipe && assetHome(cache, assetId(recipe)),
    })
  }
  return listed
}

/** Containerd's folder has parts that only root may read: without sudo the other lines are still worth showing. */
async function lookInto(
  asset: Asset | undefined,
  options: LookOptions,
): Promise<Pick<ListedAsset, 'damage' | 'unseen'>> {
  try {
    return { damage: asset && (await findDamage(asset, options)), unseen: undefined }
  } catch (error) {
    if (!isErrno(error, 'EACCES', 'EPERM')) throw error
    return { damage: undefined, unseen: messageOf(error) }
  }
}

interface SeenAsset {
  name: string
  version: string
  /** undefined while it depends on an asset that is not there. */
  recipe?: Recipe
  asset?: Asset
}

async function lookAtAssets({
  kubernetesVersion,
  cache,
}: Pick<AssetOptions, 'kubernetesVersion' | 'cache'>): Promise<SeenAsset[]> {
  const versions = componentVersions(kubernetesVersion)
  const seen: SeenAsset[] = []
  const look = async (recipe: Recipe): Promise<Asset | undefined> => {
    const id = assetId(recipe)
    const asset = await readAsset(cache, id)
    seen.push({ name: id.name, version: id.version, recipe, ...(asset ? { asset } : {}) })
    return asset
  }
  const absent = (name: string): undefined => void seen.push({ name, version: versions.kubernetes })

  const made: Record<string, Asset> = {}
  const recipes = Object.values(leafRecipes(versions))
  for (const recipe of recipes) {
    const asset = await look(recipe)
    if (asset) made[recipe.name] = asset
  }
  const complete = recipes.every((recipe) => made[recipe.name])
  await look(probeRecipe())
  const images = complete ? await look(imagesRecipe(versions, made as Made)) : absent('images')
  const bin = complete ? await look(binRecipe(versions, made as Made)) : absent('bin')
  if (images && bin) await look(templateRecipe(versions, images, bin))
  else absent('containerd-template')
  return seen
}

/**
 * What a cluster's machines still lack: the assets, and the official sites that have those of them
 * which Go builds otherwise. The probe is left out, for no cluster needs it. Changes nothing.
 */
export async function missingAssets(
  options: Pick<AssetOptions, 'kubernetesVersion' | 'cache'>,
): Promise<{ names: string[]; sites: (keyof OfficialSites)[] }> {
  const names = (await lookAtAssets(options))
    .filter(({ name, asset }) => !asset && name !== 'probe')
    .map(({ name }) => name)
  const sites = Object.values(leafRecipes(componentVersions(options.kubernetesVersion))).flatMap(
    ({ name, release }) => (release && names.includes(name) ? [release.site] : []),
  )
  return { names, sites: [...new Set(sites)] }
}
