import { randomBytes } from 'node:crypto'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { syncPath } from './folders.ts'

/**
 * Written aside, synced, renamed, folder synced: after a kill or a power cut it is the old content or the new
 * one, whole. Makes the folder where it is missing.
 */
export async function writeDurably(path: string, content: string, mode = 0o600): Promise<void> {
  const folder = dirname(path)
  await mkdir(folder, { recursive: true })
  // kubelet reads every file in its folder of manifests but those that begin with a dot.
  const aside = join(folder, `.${basename(path)}.${randomBytes(6).toString('hex')}.new`)
  try {
    const file = await open(aside, 'wx', mode)
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
