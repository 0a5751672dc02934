import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Asset, publishAsset } from '../../src/assets/cache.ts'
import { binRecipe, imagesRecipe, type Made, templateRecipe } from '../../src/assets/catalog.ts'
import { assetId, type Recipe } from '../../src/assets/recipe.ts'
import { leafRecipes } from '../../src/assets/resolve.ts'
import { componentVersions } from '../../src/assets/versions.ts'

const versions = componentVersions('1.36.3')

const publish = (cache: string, recipe: Recipe): Promise<Asset> =>
  publishAsset(cache, assetId(recipe), async (dir) => {
    await writeFile(join(dir, 'file'), recipe.name)
    return 'built'
  })

/** Puts into the cache what the recipes of one asset each make, with a small file in place of the content. */
export async function fillLeaves(cache: string, without: readonly string[] = []): Promise<Made> {
  const made: Record<string, Asset> = {}
  for (const recipe of Object.values(leafRecipes(versions))) {
    if (!without.includes(recipe.name)) made[recipe.name] = await publish(cache, recipe)
  }
  return made
}

/** The same, and what is made from those. */
export async function fillCache(cache: string): Promise<void> {
  const made = await fillLeaves(cache)
  const images = await publish(cache, imagesRecipe(versions, made))
  const bin = await publish(cache, binRecipe(versions, made))
  await publish(cache, templateRecipe(versions, images, bin))
}
