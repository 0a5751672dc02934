import { existsSync } from 'node:fs'
import { chmod, copyFile, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { HoldfastError } from '../errors.ts'
import { localHost } from '../hosts/local.ts'

export const haproxyBinary = '/usr/sbin/haproxy'

/**
 * Makes the small root that HAProxy runs in: the program and the libraries that ldd names, copied
 * out of `source` (the machines' root, or / where the host has HAProxy). Done once; whole or not there.
 */
export async function ensureHaproxyRoot(target: string, source: string): Promise<void> {
  if (existsSync(target)) return
  const half = `${target}.half`
  await rm(half, { recursive: true, force: true })
  const { stdout } = await localHost().run(
    source === '/' ? ['ldd', haproxyBinary] : ['chroot', source, 'ldd', haproxyBinary],
  )
  for (const path of [haproxyBinary, ...libraries(stdout)]) {
    const copy = join(half, path)
    await mkdir(dirname(copy), { recursive: true, mode: 0o755 })
    await copyFile(join(source, path), copy)
    await chmod(copy, 0o755)
  }
  for (const folder of ['etc', 'run', 'empty']) await mkdir(join(half, folder), { mode: 0o755 })
  await rename(half, target)
}

/** The files in ldd's answer, the loader included. Pure. */
export function libraries(ldd: string): string[] {
  return ldd.split('\n').flatMap((line) => {
    const path = /=>\s+(\/\S+)\s+\(/.exec(line)?.[1] ?? /^\s*(\/\S+)\s+\(/.exec(line)?.[1]
    return path ? [path] : []
  })
}

/** The first of these roots that has HAProxy; the newest machine root of the cache where none is named. */
export async function haproxySource(named: readonly string[], cache: string): Promise<string> {
  const family = join(cache, 'assets', 'machine-root')
  const cached = (await readdir(family).catch(() => [])).map((name) => join(family, name, 'files'))
  const found = [...named, ...cached, '/'].find((root) => existsSync(join(root, haproxyBinary)))
  if (found) return found
  throw new HoldfastError('haproxy-missing', 'HAProxy is neither in the machines’ root nor on this host', {
    remedy: 'Run `holdfast assets fetch`, or install haproxy.',
  })
}
