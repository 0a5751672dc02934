import { readFile } from 'node:fs/promises'
import { writeDurably } from '../durable-file.ts'
import { isErrno } from '../errors.ts'

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
