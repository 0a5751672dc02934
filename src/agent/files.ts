import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { isErrno } from '../errors.ts'
import { syncFolder } from '../folders.ts'

/** Written aside, synced, renamed, folder synced: after a power cut it is the old content or the new one. */
export async function writeDurably(path: string, content: string, mode = 0o600): Promise<void> {
  const folder = dirname(path)
  await mkdir(folder, { recursive: true })
  // kubelet reads every file in its folder of manifests but those that begin with a dot.
  const aside = join(folder, `.${basename(path)}.new`)
  const file = await open(aside, 'w', mode)
  try {
    await file.chmod(mode)
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(aside, path)
  await syncFolder(folder)
}

/** The file's text, or undefined where there is none. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
}

/** Writes only what differs; true when something was written. */
export async function writeIfChanged(path: string, content: string, mode = 0o600): Promise<boolean> {
  if ((await readIfThere(path)) === content) return false
  await writeDurably(path, content, mode)
  return true
}
