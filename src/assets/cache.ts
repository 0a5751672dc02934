import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isErrno } from '../errors.ts'
import { runCommand } from './command.ts'
import { describeTree, formatManifest, sha256OfText } from './manifest.ts'

/** Where an asset's content came from when it was put into the cache. */
export type AssetSource = 'bundle' | 'official' | 'built'

/** One asset in the cache: `dir` holds its files and is never changed once it is there. */
export interface Asset {
  readonly name: string
  readonly version: string
  /** Hash of the recipe: another recipe is another asset. */
  readonly key: string
  readonly dir: string
  readonly source: AssetSource
  /** Size of all files together. */
  readonly bytes: number
  /** Hash of the manifest, which holds the hash of every file. */
  readonly sha256: string
}

/** What an asset is found by. */
export type AssetId = Pick<Asset, 'name' | 'version' | 'key'>

/** `CACHE/assets/NAME/VERSION-KEY`: `files/`, `manifest` and `stamp.json`. */
export const assetHome = (cache: string, { name, version, key }: AssetId): string =>
  join(cache, 'assets', name, `${version}-${key}`)

/** The asset if it is in the cache, else undefined. Whether its files are what they were is for `findDamage` to say. */
export async function readAsset(cache: string, wanted: AssetId): Promise<Asset | undefined> {
  const home = assetHome(cache, wanted)
  try {
    const stamp = JSON.parse(await readFile(join(home, 'stamp.json'), 'utf8')) as Omit<Asset, 'dir'>
    return { ...stamp, dir: join(home, 'files') }
  } catch (error) {
    if (isErrno(error, 'ENOENT') || error instanceof SyntaxError) return undefined
    throw error
  }
}

/**
 * Fills a new folder by `fill` and puts it into the cache as one: a crash leaves either all of it
 * or nothing but a folder that the next publication removes. The caller holds the asset's lock.
 */
export async function publishAsset(
  cache: string,
  wanted: AssetId,
  fill: (dir: string) => Promise<AssetSource>,
): Promise<Asset> {
  const home = assetHome(cache, wanted)
  const parent = join(home, '..')
  await removeLeftovers(parent, wanted.key)
  const building = join(parent, `.${wanted.key}-${randomBytes(4).toString('hex')}`)
  const files = join(building, 'files')
  await mkdir(files, { recursive: true })
  await chmod(files, 0o755)
  try {
    const source = await fill(files)
    const entries = await describeTree(files)
    const manifest = formatManifest(entries)
    const asset = {
      ...wanted,
      source,
      bytes: entries.reduce((sum, entry) => sum + Math.max(entry.size, 0), 0),
      sha256: sha256OfText(manifest),
    }
    await writeFile(join(building, 'manifest'), manifest)
    await writeFile(join(building, 'stamp.json'), `${JSON.stringify(asset, undefined, 1)}\n`)
    await runCommand('sync', ['-f', building], { timeoutMs: 300_000 })
    await setAside(cache, wanted)
    await rename(building, home)
    await runCommand('sync', ['-f', parent], { timeoutMs: 300_000 })
    return { ...asset, dir: join(home, 'files') }
  } catch (error) {
    await rm(building, { recursive: true, force: true })
    throw error
  }
}

/**
 * Only a damaged copy can be in the way. Machines may run on it, and on those that were set aside before it, and their
 * files must not go while they do: each stays in `CACHE/damaged` until the user removes it.
 */
async function setAside(cache: string, asset: AssetId): Promise<void> {
  const home = assetHome(cache, asset)
  if (!existsSync(home)) return
  const damaged = join(cache, 'damaged')
  await mkdir(damaged, { recursive: true, mode: 0o700 })
  const name = `${asset.name}-${asset.version}-${asset.key}-${randomBytes(4).toString('hex')}`
  await rename(home, join(damaged, name))
}

async function removeLeftovers(parent: string, key: string): Promise<void> {
  const names = await readdir(parent).catch(() => [])
  for (const name of names) {
    if (name.startsWith(`.${key}-`)) await rm(join(parent, name), { recursive: true, force: true })
  }
}
