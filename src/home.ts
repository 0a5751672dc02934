import { createHash } from 'node:crypto'
import { realpathSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { makeFolder } from './folders.ts'

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

/** Honours HOLDFAST_HOME, HOLDFAST_CACHE, XDG_DATA_HOME, XDG_CACHE_HOME; makes the home (0700). */
export function resolveHome(env: NodeJS.ProcessEnv = process.env, userHome = homedir()): Home {
  const data = env['XDG_DATA_HOME'] || join(userHome, '.local', 'share')
  const wanted = resolve(env['HOLDFAST_HOME'] || join(data, 'holdfast'))
  makeFolder(wanted)
  const dir = realpathSync(wanted)
  const cache = resolve(
    env['HOLDFAST_CACHE'] || join(env['XDG_CACHE_HOME'] || join(userHome, '.cache'), 'holdfast'),
  )
  const hash = createHash('sha256').update(dir).digest('hex').slice(0, 6)
  return { dir, cache, prefix: `hf-${hash}`, storeUrl: pathToFileURL(join(dir, 'store')).href }
}
