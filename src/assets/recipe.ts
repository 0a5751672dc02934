import { join } from 'node:path'
import { messageOf } from '../errors.ts'
import { asStep, type Report } from '../events.ts'
import type { Bundle } from './bundle.ts'
import { type Asset, publishAsset, readAsset } from './cache.ts'
import { withLock } from './lock.ts'
import { sha256OfText } from './manifest.ts'
import type { OfficialSites } from './official.ts'

/** How one asset is made. */
export interface Recipe {
  readonly name: string
  readonly version: string
  /** For progress: `Kubernetes 1.36.3`. */
  readonly title: string
  /** Everything that shapes the result, checksums of its inputs included. */
  readonly ingredients: readonly string[]
  /** Made from other assets alone, so a bundle does not carry it. */
  readonly derived?: boolean
  /** Fetches the official release and checks it; undefined where there is none. */
  readonly download?: (dir: string, making: Making) => Promise<void>
  readonly build: (dir: string, making: Making) => Promise<void>
}

/** What a recipe needs while it works. */
export interface Making {
  readonly context: AssetContext
  readonly sites: OfficialSites
  readonly progress: (detail: string) => void
}

export interface AssetContext {
  readonly cache: string
  readonly report: Report
  readonly env: NodeJS.ProcessEnv
  readonly bundle?: Bundle
  /** Read and compare every file of what is in the cache. */
  readonly verify?: boolean
  /** The official sites if they can be reached; asked at most once. */
  readonly sites: () => Promise<OfficialSites | undefined>
}

/** Twelve hexadecimal digits: another recipe, another key. */
export const recipeKey = (recipe: Recipe): string =>
  sha256OfText(JSON.stringify([recipe.name, recipe.version, process.arch, ...recipe.ingredients])).slice(
    0,
    12,
  )

/**
 * The asset from the cache, else from the bundle, else the official release, else built here.
 * Only one process makes an asset at a time; the others wait and say for whom.
 */
export async function obtain(recipe: Recipe, context: AssetContext): Promise<Asset> {
  const wanted = { name: recipe.name, version: recipe.version, key: recipeKey(recipe) }
  const check = context.verify ? { verify: true } : {}
  const cached = await readAsset(context.cache, wanted, check)
  if (cached) return cached
  return asStep(context.report, `asset-${recipe.name}`, recipe.title, async (detail) => {
    const started = Date.now()
    const progress = (text: string) => detail(`${text} (${Math.round((Date.now() - started) / 1000)} s)`)
    const onWait = (holder: number | undefined) => progress(`waiting for process ${holder ?? 'unknown'}`)
    const lock = join(context.cache, 'locks', `${recipe.name}-${wanted.key}`)
    return withLock(lock, { onWait }, async () => {
      const meanwhile = await readAsset(context.cache, wanted, check)
      if (meanwhile) return meanwhile
      return publishAsset(context.cache, wanted, (dir) => make(recipe, wanted.key, dir, context, progress))
    })
  })
}

async function make(
  recipe: Recipe,
  key: string,
  dir: string,
  context: AssetContext,
  progress: (detail: string) => void,
): Promise<Asset['source']> {
  if (context.bundle && !recipe.derived && (await context.bundle.extract(recipe, key, dir))) return 'bundle'
  const sites = recipe.download ? await context.sites() : undefined
  const making = { context, sites: sites ?? {}, progress } as Making
  if (sites && recipe.download) {
    progress('downloading the official release')
    await recipe.download(dir, { ...making, sites })
    return 'official'
  }
  await recipe.build(dir, making)
  return 'built'
}

export { messageOf }
