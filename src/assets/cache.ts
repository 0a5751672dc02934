import { randomBytes } from 'node:crypto'
import { chmod, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { HoldfastError, isErrno } from '../errors.ts'
import { runCommand } from './command.ts'
import { describeTree, formatManifest, type ManifestEntry, parseManifest, sha256OfText } from './manifest.ts'

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

interface Stamp extends Omit<Asset, 'dir'> {
  /** The largest files: looked at on every use, the others only by a full verification. */
  sentinels: { path: string; size: number }[]
}

const sentinelCount = 16

/** What an asset is found by. */
export type AssetId = Pick<Asset, 'name' | 'version' | 'key'>

/** `CACHE/assets/NAME/VERSION-KEY`: `files/`, `manifest` and `stamp.json`. */
export const assetHome = (cache: string, { name, version, key }: AssetId): string =>
  join(cache, 'assets', name, `${version}-${key}`)

/**
 * The asset if it is there with the right sizes, else undefined. With `verify` every file is read
 * and its SHA-256 compared; a mismatch throws `asset-damaged`.
 */
export async function readAsset(
  cache: string,
  wanted: AssetId,
  options: { verify?: boolean } = {},
): Promise<Asset | undefined> {
  const home = assetHome(cache, wanted)
  const stamp = await readStamp(home)
  if (!stamp) return undefined
  const { sentinels, ...asset } = stamp
  const dir = join(home, 'files')
  const sizes = await Promise.all(
    sentinels.map(async ({ path, size }) => (await sizeOf(join(dir, path))) === size),
  )
  if (sizes.includes(false)) return undefined
  if (options.verify) await verifyAsset(home, asset.sha256)
  return { ...asset, dir }
}

/** Compares every file with the manifest; throws `asset-damaged` naming the first that differs. */
async function verifyAsset(home: string, manifestSha256: string): Promise<void> {
  const text = await readFile(join(home, 'manifest'), 'utf8')
  const remedy = `Remove ${home} and run the command again.`
  if (sha256OfText(text) !== manifestSha256) {
    throw new HoldfastError('asset-damaged', `${join(home, 'manifest')} was changed.`, { remedy })
  }
  const wanted = new Map(parseManifest(text).map((entry) => [entry.path, entry.sha256]))
  for (const { path, sha256 } of await describeTree(join(home, 'files'))) {
    if (wanted.get(path) !== sha256) {
      throw new HoldfastError('asset-damaged', `${join(home, 'files', path)} was changed.`, { remedy })
    }
    wanted.delete(path)
  }
  for (const path of wanted.keys()) {
    throw new HoldfastError('asset-damaged', `${join(home, 'files', path)} is missing.`, { remedy })
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
    const stamp: Stamp = { ...asset, sentinels: largest(entries) }
    await writeFile(join(building, 'stamp.json'), `${JSON.stringify(stamp, undefined, 1)}\n`)
    await runCommand('sync', ['-f', building], { timeoutMs: 300_000 })
    // Only a copy that failed its check can be in the way.
    await rm(home, { recursive: true, force: true })
    await rename(building, home)
    await runCommand('sync', ['-f', parent], { timeoutMs: 300_000 })
    return { ...asset, dir: join(home, 'files') }
  } catch (error) {
    await rm(building, { recursive: true, force: true })
    throw error
  }
}

const largest = (entries: ManifestEntry[]): Stamp['sentinels'] =>
  entries
    .filter((entry) => entry.size >= 0)
    .sort((a, b) => b.size - a.size)
    .slice(0, sentinelCount)
    .map(({ path, size }) => ({ path, size }))

async function removeLeftovers(parent: string, key: string): Promise<void> {
  const names = await readdir(parent).catch(() => [])
  for (const name of names) {
    if (name.startsWith(`.${key}-`)) await rm(join(parent, name), { recursive: true, force: true })
  }
}

async function readStamp(home: string): Promise<Stamp | undefined> {
  try {
    return JSON.parse(await readFile(join(home, 'stamp.json'), 'utf8')) as Stamp
  } catch (error) {
    if (isErrno(error, 'ENOENT') || error instanceof SyntaxError) return undefined
    throw error
  }
}

const sizeOf = async (file: string): Promise<number> =>
  stat(file).then(
    (found) => found.size,
    () => -1,
  )
