import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { HoldfastError } from '../errors.ts'
import { asStep, type Report } from '../events.ts'
import type { Bundle } from './bundle-file.ts'
import { type Asset, type AssetId, type AssetSource, publishAsset, readAsset } from './cache.ts'
import { findDamage, rememberVerified } from './damage.ts'
import { withLock } from './lock.ts'
import { sha256OfText } from './manifest.ts'
import { fetchRelease, type OfficialSites, type Release } from './official.ts'
import { paceProgress } from './pace.ts'

/** How one asset is made. */
export interface Recipe {
  readonly name: string
  readonly version: string
  /** For progress: `Kubernetes 1.36.3`. */
  readonly title: string
  /** Everything that shapes the result, checksums of its inputs included. */
  readonly ingredients: readonly string[]
  /** Made from other assets alone, so that a bundle does not carry it. */
  readonly derived?: boolean
  /** Machines share its files by hard links. */
  readonly linked?: boolean
  /** The official release, where there is one with a published checksum. */
  readonly release?: Release
  readonly build: (dir: string, making: Making) => Promise<void>
}

/** What a recipe needs while it works. */
export interface Making {
  readonly env: NodeJS.ProcessEnv
  readonly progress: (detail: string) => void
  /** Ends what takes long. */
  readonly stop?: AbortSignal | undefined
}

export interface AssetContext {
  readonly cache: string
  readonly report: Report
  readonly env: NodeJS.ProcessEnv
  readonly bundle?: Bundle
  /** Asked to end: nothing is begun any more, and what is being made is dropped. */
  readonly stop?: AbortSignal | undefined
  /** Read every file of what is in the cache, not only what changed since it was last verified. */
  readonly verify?: boolean
  /** The official sites that can be reached; asked at most once. */
  readonly sites: () => Promise<Partial<OfficialSites>>
}

/** Name, version and key: another recipe or another processor is another asset. */
export const assetId = ({ name, version, ingredients }: Recipe): AssetId => ({
  name,
  version,
  key: sha256OfText(JSON.stringify([name, version, process.arch, ...ingredients])).slice(0, 12),
})

/**
 * The asset from the cache, else from the bundle, else the official release, else built here; one
 * that is damaged is made again, which a warning says.
 * Only one process makes an asset at a time; the others wait and say for whom.
 */
export async function obtain(recipe: Recipe, context: AssetContext): Promise<Asset> {
  const id = assetId(recipe)
  const { linked = false } = recipe
  const look = async () => {
    const asset = await readAsset(context.cache, id)
    const damage = asset && (await findDamage(asset, { all: context.verify ?? false, linked }))
    return { asset: damage === undefined ? asset : undefined, damage }
  }
  const cached = await look()
  if (cached.asset) return cached.asset
  return asStep(context.report, `asset-${recipe.name}`, recipe.title, (detail) =>
    paceProgress(detail, (progress) =>
      stoppable(recipe, context, async () => {
        const onWait = (holder?: number) => {
          context.stop?.throwIfAborted()
          progress(`waiting for process ${holder ?? 'unknown'}`)
        }
        const lock = join(context.cache, 'locks', `${recipe.name}-${id.key}`)
        return withLock(lock, { onWait }, async () => {
          const meanwhile = await look()
          if (meanwhile.asset) return meanwhile.asset
          if (meanwhile.damage)
            context.report({ type: 'warning', message: madeAgain(recipe, meanwhile.damage) })
          const made = await publishAsset(context.cache, id, (dir) =>
            make(recipe, id, dir, context, progress),
          )
          await rememberVerified(made, { linked })
          return made
        })
      }),
    ),
  )
}

const madeAgain = ({ title }: Recipe, damage: string): string =>
  `${title} in the cache is damaged and is not used: ${damage} It is made or fetched again.`

/** Whatever goes wrong after the user asked to stop goes wrong because of that. */
async function stoppable<T>(recipe: Recipe, { stop }: AssetContext, action: () => Promise<T>): Promise<T> {
  try {
    stop?.throwIfAborted()
    return await action()
  } catch (error) {
    if (!stop?.aborted) throw error
    const message = `Stopped, as asked. ${recipe.title} is begun again next time; what was finished before is kept.`
    throw new HoldfastError('interrupted', message, {
      remedy: 'Go on with the same command.',
      exitCode: 130,
      cause: error,
    })
  }
}

async function make(
  recipe: Recipe,
  id: AssetId,
  dir: string,
  context: AssetContext,
  progress: (detail: string) => void,
): Promise<AssetSource> {
  if (context.bundle && !recipe.derived) {
    progress('looking into the bundle')
    if (await context.bundle.extract(id, dir)) return 'bundle'
  }
  if (recipe.release && (await downloaded(recipe.release, recipe, dir, context, progress))) return 'official'
  await recipe.build(dir, { env: context.env, progress, stop: context.stop })
  return 'built'
}

/** False where the site cannot be had; a checksum that does not match is never passed over. */
async function downloaded(
  release: Release,
  recipe: Recipe,
  dir: string,
  context: AssetContext,
  progress: (detail: string) => void,
): Promise<boolean> {
  const base = (await context.sites())[release.site]
  if (!base) return false
  try {
    const downloads = join(context.cache, 'downloads')
    await fetchRelease(release, base, dir, { downloads, env: context.env, progress, stop: context.stop })
    return true
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'download-failed') throw error
    context.stop?.throwIfAborted()
    for (const name of await readdir(dir)) await rm(join(dir, name), { recursive: true })
    context.report({ type: 'warning', message: `${error.message} Building ${recipe.title} instead.` })
    return false
  }
}
