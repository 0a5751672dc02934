import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { writeDurably as writeAside } from '../durable-file.ts'
import { isErrno } from '../errors.ts'

/** Only this process writes these files: what a kill leaves is overwritten the next time. */
export const writeDurably = (path: string, content: string, mode = 0o600): Promise<void> =>
  writeAside(path, content, mode, `.${basename(path)}.new`)

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
