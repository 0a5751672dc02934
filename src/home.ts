import { createHash } from 'node:crypto'
import { realpathSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { HoldfastError } from './errors.ts'
import { folderFault, makeFolder } from './folders.ts'

/**
 * Where one user's things are. Everything Holdfast makes on the host is either below these
 * folders or carries `prefix` in its name, so that cleaning up touches this home's things only.
 */
export interface Home {
  dir: string
  /** Assets: may be shared by several homes, survives `delete cluster`. */
  cache: string
  /** `hf-` and six hexadecimal digits of the home's hash: nine characters. */
  prefix: string
  /** The default state store. */
  storeUrl: string
}

/**
 * Where they are, by HOLDFAST_HOME, HOLDFAST_CACHE, XDG_DATA_HOME and XDG_CACHE_HOME.
 * @param userHome asked only where those leave it open.
 */
export function homeFolders(env: NodeJS.ProcessEnv, userHome: () => string): { home: string; cache: string } {
  const data = () => env['XDG_DATA_HOME'] || join(userHome(), '.local', 'share')
  const caches = () => env['XDG_CACHE_HOME'] || join(userHome(), '.cache')
  return {
    home: resolve(env['HOLDFAST_HOME'] || join(data(), 'holdfast')),
    cache: resolve(env['HOLDFAST_CACHE'] || join(caches(), 'holdfast')),
  }
}

/** Makes the home (0700) where it is missing. @throws HoldfastError `path-not-usable`. */
export function resolveHome(env: NodeJS.ProcessEnv = process.env, userHome = homedir): Home {
  const { home, cache } = homeFolders(env, userHome)
  makeUsable("Holdfast's home", home, 'HOLDFAST_HOME')
  const dir = realpathSync(home)
  const hash = createHash('sha256').update(dir).digest('hex').slice(0, 6)
  return { dir, cache, prefix: `hf-${hash}`, storeUrl: pathToFileURL(join(dir, 'store')).href }
}

/** Before anything is changed that will need it. @throws HoldfastError `path-not-usable`. */
export const makeCache = ({ cache }: Home): void => makeUsable('The cache', cache, 'HOLDFAST_CACHE')

function makeUsable(what: string, path: string, variable: string): void {
  try {
    makeFolder(path)
  } catch (error) {
    throw new HoldfastError('path-not-usable', `${what} ${path} cannot be made: ${folderFault(error)}`, {
      remedy: `Name a folder that is there or can be made in ${variable}.`,
      exitCode: 2,
      cause: error,
    })
  }
}
