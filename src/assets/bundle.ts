import type { Recipe } from './recipe.ts'

/** A file made by `bundleAssets`, opened for reading. */
export interface Bundle {
  readonly file: string
  /** Puts an asset's files into `dir`; false where the bundle does not have it. */
  extract(recipe: Recipe, key: string, dir: string): Promise<boolean>
}
