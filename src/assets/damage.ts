import { randomBytes } from 'node:crypto'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isErrno } from '../errors.ts'
import type { Asset } from './cache.ts'
import { listTree, parseManifest, sha256OfEntry, sha256OfText, type TreeEntry } from './manifest.ts'

export interface LookOptions {
  /** Read every file, not only those that changed since they were last verified. */
  all?: boolean
  /** `Recipe.linked`. */
  linked?: boolean
}

/**
 * What is wrong with an asset in the cache, in words; undefined where every file has the SHA-256 of the manifest.
 *
 * To read gigabytes before each command would take seconds. So it is remembered, in `verified` beside the files, what each
 * file that was verified looked like to the kernel, and only what changed since is read again. Whoever writes to a file
 * changes its ctime, whatever is done to its mtime. A disk that gives back other bytes than were written changes
 * nothing of it: that is what `all` is for.
 */
export async function findDamage(asset: Asset, options: LookOptions = {}): Promise<string | undefined> {
  try {
    return await look(asset, options)
  } catch (error) {
    // Also where another process, which holds the asset's lock, is just moving the damaged one away.
    const { path = asset.dir } = error as NodeJS.ErrnoException
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return `${path} is missing.`
    if (isErrno(error, 'EIO')) return `${path} cannot be read.`
    throw error
  }
}

async function look(asset: Asset, options: LookOptions): Promise<string | undefined> {
  const entries = listTree(asset.dir)
  const lines = entries.map((entry) => lineOf(entry, options))
  const known = new Set(options.all ? [] : await readMarker(asset))
  const changed = entries.filter((_, index) => !known.has(lines[index] ?? ''))
  if (changed.length === 0 && known.size === lines.length) return undefined
  const damage = await compare(asset, entries, changed)
  if (damage === undefined) await writeMarker(asset, lines)
  return damage
}

/** To be called only for what was just made, every file of it hashed. */
export const rememberVerified = (asset: Asset, options: LookOptions): Promise<void> =>
  writeMarker(
    asset,
    listTree(asset.dir).map((entry) => lineOf(entry, options)),
  )

async function compare(
  asset: Asset,
  entries: readonly TreeEntry[],
  changed: readonly TreeEntry[],
): Promise<string | undefined> {
  const file = join(dirname(asset.dir), 'manifest')
  const text = await readFile(file, 'utf8').catch(() => '')
  if (sha256OfText(text) !== asset.sha256) return `${file} was changed.`
  const wanted = new Map(parseManifest(text).map((entry) => [entry.path, entry.sha256]))
  for (const entry of changed) {
    if (wanted.get(entry.path) !== (await sha256OfEntry(asset.dir, entry)))
      return `${join(asset.dir, entry.path)} was changed.`
  }
  for (const { path } of entries) wanted.delete(path)
  const [missing] = wanted.keys()
  return missing === undefined ? undefined : `${join(asset.dir, missing)} is missing.`
}

/** A hard link that is made or removed changes the ctime of the file, so there it tells nothing. */
const lineOf = ({ path, stats }: TreeEntry, { linked }: LookOptions): string =>
  `${stats.ino} ${stats.size} ${stats.mtimeMs} ${linked ? '-' : stats.ctimeMs} ${JSON.stringify(path)}`

const markerOf = (asset: Asset): string => join(dirname(asset.dir), 'verified')

/** Its first line says of which content it was written. */
async function readMarker(asset: Asset): Promise<string[]> {
  const [sha256, ...lines] = (await readFile(markerOf(asset), 'utf8').catch(() => '')).split('\n')
  return sha256 === asset.sha256 ? lines : []
}

/** It saves time and nothing else: where it cannot be written, as in another user's cache, files are read again. */
async function writeMarker(asset: Asset, lines: readonly string[]): Promise<void> {
  const marker = markerOf(asset)
  const writing = `${marker}.${randomBytes(4).toString('hex')}`
  try {
    await writeFile(writing, [asset.sha256, ...lines].join('\n'))
    await rename(writing, marker)
  } catch {
    await rm(writing, { force: true }).catch(() => {})
  }
}
