import type { Dirent } from 'node:fs'
import { open, opendir, readdir, readFile, rename, rmdir, unlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { HoldfastError, isErrno } from '../errors.ts'
import { folderFault, makeFolder, syncPath } from '../folders.ts'
import { refusedToUser } from '../permission.ts'
import { checkCondition } from './condition.ts'
import { assertKey, isKey } from './keys.ts'
import { processLock } from './process-lock.ts'
import { decodeRecord, encodeRecord } from './record.ts'
import { type StateStore, type Stored, StoreUnavailableError } from './store.ts'

/** What the system says of a place where no folder is nor can be made, or be written. */
const noPlace = ['ENOTDIR', 'EEXIST', 'EROFS', 'EACCES', 'EPERM', 'ENOENT']

/**
 * A store in a folder: each key is a file of that name. Many processes of one host may use it at
 * once, and any of them may be killed at any moment.
 *
 * Readers take no lock: a file is replaced by one rename, so it is whole, old or new. Writers take
 * `.holdfast/lock`, compare, write `.holdfast/pending`, sync it, rename it to the key, sync the folder.
 * `.holdfast/floor` holds the highest revision of any deleted key: a key that is made again counts
 * on from there, so that a condition from its former life fails. So it outlives the last key, and with it the lock.
 *
 * @param place a folder or a `file:` URL. Made when the first key is written.
 */
export function openFileStore(place: string): StateStore {
  const root = place.startsWith('file:') ? fileURLToPath(place) : resolve(place)
  const own = join(root, '.holdfast')
  const pending = join(own, 'pending')
  const floorFile = join(own, 'floor')
  const lock = processLock(join(own, 'lock'))
  const location = pathToFileURL(root).href
  const fileOf = (key: string) => join(root, key)

  /** A record was read there, or written. Until then what the system refuses may well be a place that was mistyped. */
  let wasUsed = false

  /** What the system refuses becomes the contract's error; our own errors pass. */
  const guarded = async <T>(action: () => Promise<T>): Promise<T> => {
    try {
      return await action()
    } catch (error) {
      if (error instanceof HoldfastError && error.code !== 'lock-timeout') throw error
      const refused = refusedToUser(`The state store ${location}`, error)
      if (refused) throw refused
      const wrongPlace = !wasUsed && isErrno(error, ...noPlace)
      throw new StoreUnavailableError(location, folderFault(error), error, wrongPlace)
    }
  }

  const read = async (path: string): Promise<Stored | undefined> => {
    const bytes = await readIfThere(path)
    if (bytes) {
      const record = decodeRecord(path, bytes)
      wasUsed = true
      return record
    }
    await requireNoFile(root)
    return undefined
  }

  const keysOf = async (prefix: string): Promise<string[]> => {
    const found: string[] = []
    await walk(root, prefix.slice(0, prefix.lastIndexOf('/') + 1), found)
    if (found.length === 0) await requireNoFile(root)
    return found.filter((key) => key.startsWith(prefix) && isKey(key)).sort()
  }

  /** Replaces a file so that after a crash it is whole, old or new. Needs the lock. */
  const replace = async (path: string, record: Stored) => {
    await makeSynced(dirname(path), root)
    const handle = await open(pending, 'w', 0o600)
    try {
      await handle.writeFile(encodeRecord(record))
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(pending, path)
    await syncPath(dirname(path))
  }

  const exclusively = async <T>(action: () => Promise<T>): Promise<T> => {
    await makeSynced(own, dirname(root))
    const done = await lock.run(action)
    wasUsed = true
    return done
  }

  return {
    location,
    get: (key) => {
      assertKey(key)
      return guarded(() => read(fileOf(key)))
    },
    put: (key, value, condition) => {
      assertKey(key)
      return guarded(() =>
        exclusively(async () => {
          const found = (await read(fileOf(key)))?.revision
          checkCondition(key, found, condition)
          const revision = (found ?? (await read(floorFile))?.revision ?? 0) + 1
          await replace(fileOf(key), { value, revision })
          return revision
        }),
      )
    },
    delete: (key, condition) => {
      assertKey(key)
      return guarded(async () => {
        if (!condition && !(await readIfThere(fileOf(key)))) return
        await exclusively(async () => {
          const found = (await read(fileOf(key)))?.revision
          checkCondition(key, found, condition)
          if (found === undefined) return
          const floor = (await read(floorFile))?.revision ?? 0
          if (found > floor)
            await replace(floorFile, { value: 'highest revision of a deleted key\n', revision: found })
          await unlink(fileOf(key))
          await syncPath(dirname(fileOf(key)))
          await removeEmptyFolders(dirname(fileOf(key)), root)
        })
      })
    },
    list: (prefix) => guarded(() => keysOf(prefix)),
    entries: (prefix) =>
      guarded(async () => {
        const found = await Promise.all(
          (await keysOf(prefix)).map(async (key) => ({ key, stored: await read(fileOf(key)) })),
        )
        return found.flatMap(({ key, stored }) => (stored ? [{ key, ...stored }] : []))
      }),
  }
}

async function walk(root: string, folder: string, found: string[]): Promise<void> {
  let entries: Dirent[]
  try {
    entries = await readdir(join(root, folder), { withFileTypes: true })
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return
    throw error
  }
  for (const entry of entries) {
    if (entry.name.startsWith('.')) continue
    if (entry.isDirectory()) await walk(root, `${folder}${entry.name}/`, found)
    else if (entry.isFile()) found.push(`${folder}${entry.name}`)
  }
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path)
  } catch (error) {
    // A folder of that name is no key either: `a` beside `a/b`.
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EISDIR')) return undefined
    throw error
  }
}

/** A store that is not made yet is empty; a file in its place, or above it, is a mistake. */
async function requireNoFile(root: string): Promise<void> {
  try {
    await (await opendir(root)).close()
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
  }
}

/** Makes `path` (0700) and what is missing above it, and syncs the folders that got a new entry. */
async function makeSynced(path: string, upTo: string): Promise<void> {
  const first = makeFolder(path)
  if (first === undefined) return
  for (let folder = path; folder !== dirname(first) && folder !== '/'; folder = dirname(folder)) {
    await syncPath(dirname(folder))
    if (folder === upTo) break
  }
}

/** So that a deleted cluster leaves nothing. Only writers make folders, and the lock keeps them out. */
async function removeEmptyFolders(from: string, root: string): Promise<void> {
  for (let folder = from; folder !== root && folder.startsWith(root); folder = dirname(folder)) {
    try {
      await rmdir(folder)
    } catch (error) {
      if (isErrno(error, 'ENOTEMPTY', 'EEXIST', 'ENOENT')) return
      throw error
    }
  }
}
