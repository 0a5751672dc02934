import { randomBytes } from 'node:crypto'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { syncPath } from './folders.ts'

const chosenByChance = (path: string): string => `.${basename(path)}.${randomBytes(6).toString('hex')}.new`

/**
 * Written aside, synced, renamed, folder synced: after a kill or a power cut it is the old content or the new
 * one, whole. Makes the folder where it is missing. `draft` is the name of the file aside: one that is always
 * the same is overwritten after a kill, where nobody else writes. It begins with a dot, because kubelet reads
 * every other file in its folder of manifests.
 */
export async function writeDurably(
  path: string,
  content: string,
  mode = 0o600,
  draft = chosenByChance(path),
): Promise<void> {
  const folder = dirname(path)
  await mkdir(folder, { recursive: true })
  const aside = join(folder, draft)
  try {
    const file = await open(aside, 'w', mode)
    try {
      await file.chmod(mode)
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(aside, path)
  } catch (error) {
    await rm(aside, { force: true })
    throw error
  }
  await syncPath(folder)
}
