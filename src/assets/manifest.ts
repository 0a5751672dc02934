import { createHash, hash } from 'node:crypto'
import { createReadStream, lstatSync, readdirSync, readFileSync, readlinkSync, type Stats } from 'node:fs'
import { join } from 'node:path'

/** One file of an asset. Symbolic links carry their target instead of a size. */
export interface ManifestEntry {
  path: string
  sha256: string
  size: number
}

/** A regular file or a symbolic link of an asset. */
export interface TreeEntry {
  /** Below the asset's folder. */
  readonly path: string
  readonly stats: Stats
}

/** Files that are read as one: for thousands of small ones a stream each takes seconds. */
const smallFileBytes = 1 << 20

/** SHA-256 of a file's content, in hexadecimal. */
export async function sha256OfFile(file: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(chunk)
  return hash.digest('hex')
}

export const sha256OfText = (text: string): string => hash('sha256', text)

/** SHA-256 of an entry's content, or of where it leads to. */
export async function sha256OfEntry(dir: string, { path, stats }: TreeEntry): Promise<string> {
  const absolute = join(dir, path)
  if (stats.isSymbolicLink()) return sha256OfText(readlinkSync(absolute))
  return stats.size > smallFileBytes ? sha256OfFile(absolute) : hash('sha256', readFileSync(absolute))
}

/** Every regular file and symbolic link below `dir`, sorted by path. Links are not followed. */
export function listTree(dir: string): TreeEntry[] {
  const found: TreeEntry[] = []
  const walk = (folder: string): void => {
    for (const entry of readdirSync(join(dir, folder), { withFileTypes: true })) {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) walk(path)
      else if (entry.isFile() || entry.isSymbolicLink())
        found.push({ path, stats: lstatSync(join(dir, path)) })
    }
  }
  walk('')
  return found.sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** What a manifest holds of the tree below `dir`. */
export async function describeTree(dir: string): Promise<ManifestEntry[]> {
  const entries: ManifestEntry[] = []
  for (const entry of listTree(dir)) {
    const { path, stats } = entry
    const sha256 = await sha256OfEntry(dir, entry)
    entries.push({ path, sha256, size: stats.isSymbolicLink() ? -1 : stats.size })
  }
  return entries
}

/** One line an entry, as `sha256sum` writes them, with the size in between. */
export const formatManifest = (entries: readonly ManifestEntry[]): string =>
  entries.map((entry) => `${entry.sha256} ${entry.size} ${JSON.stringify(entry.path)}\n`).join('')

export function parseManifest(text: string): ManifestEntry[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [sha256 = '', size = '0', ...path] = line.split(' ')
      return { sha256, size: Number(size), path: String(JSON.parse(path.join(' '))) }
    })
}
