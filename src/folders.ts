import { mkdirSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isErrno, messageOf } from './errors.ts'

/**
 * Makes the folder `path` and what is missing above it, each with `mode`, and returns the uppermost that
 * it made. For paths that a user names: `mkdir` of node:fs with `recursive` never returns where the kernel
 * lets nobody make a folder, as below /proc.
 *
 * @throws what the kernel says of the uppermost folder that cannot be made
 */
export function makeFolder(path: string, mode = 0o700): string | undefined {
  if (isFolder(path)) return undefined
  const above = dirname(path)
  const first = above === path ? undefined : makeFolder(above, mode)
  try {
    mkdirSync(path, { mode })
  } catch (error) {
    // Somebody else was quicker.
    if (!(isErrno(error, 'EEXIST') && isFolder(path))) throw error
  }
  return first ?? path
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true

/** Makes a file's content last, or what was renamed or made in a folder, whatever happens to the host. */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Why a folder cannot be used, in words. */
export function folderFault(error: unknown): string {
  if (isErrno(error, 'EACCES', 'EPERM')) return `permission denied (${messageOf(error)})`
  if (isErrno(error, 'EROFS')) return `it is on a read-only file system (${messageOf(error)})`
  if (isErrno(error, 'ENOSPC', 'EDQUOT')) return `no space is left (${messageOf(error)})`
  if (isErrno(error, 'ENOTDIR', 'EEXIST', 'EISDIR'))
    return `something that is no folder is in the way (${messageOf(error)})`
  return messageOf(error)
}
