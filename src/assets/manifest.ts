import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { lstat, readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'

/** One file of an asset. Symbolic links carry their target instead of a size. */
export interface ManifestEntry {
  path: string
  sha256: string
  size: number
}

/** SHA-256 of a file's content, in hexadecimal. */
export async function sha256OfFile(file: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(chunk)
  return hash.digest('hex')
}

export const sha256OfText = (text: string): string => createHash('sha256').update(text).digest('hex')

/** Every regular file and symbolic link below `dir`, sorted by path. */
export async function describeTree(dir: string): Promise<ManifestEntry[]> {
  const entries: ManifestEntry[] = []
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    const absolute = join(entry.parentPath, entry.name)
    const path = absolute.slice(dir.length + 1)
    if (entry.isSymbolicLink()) {
      entries.push({ path, sha256: sha256OfText(await readlink(absolute)), size: -1 })
    } else if (entry.isFile()) {
      const { size } = await lstat(absolute)
      entries.push({ path, sha256: await sha256OfFile(absolute), size })
    }
  }
  return entries.sort((a, b) => (a.path < b.path ? -1 : 1))
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
