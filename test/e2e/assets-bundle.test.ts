import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { missingPackages } from '../../src/assets/host-packages.ts'
import { resolveHome } from '../../src/home.ts'
import { changeByte } from '../assets/scratch.ts'

const main = join(import.meta.dirname, '../../src/cli/main.ts')
const isPossible = process.getuid?.() === 0 && (await missingPackages()).length === 0

let base: string
/** The cache of this host, with what was built here. */
let origin: string
/** The cache of a host that has the bundle and nothing else. */
let cache: string
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), `holdfast-test-${process.pid}-`))
  origin = resolveHome({ ...process.env, HOLDFAST_HOME: join(base, 'home') }).cache
  cache = join(base, 'cache')
  await mkdir(join(base, 'bin'))
  for (const name of ['go', 'gcc', 'mmdebstrap'])
    await writeFile(join(base, 'bin', name), `#!/bin/sh\necho ${name} >>${base}/compiled\nexit 1\n`, {
      mode: 0o755,
    })
})
afterAll(() => rm(base, { recursive: true, force: true }))

interface Ran {
  code: number
  text: string
}

function run(program: string, words: readonly string[], env: NodeJS.ProcessEnv): Promise<Ran> {
  const all = { ...process.env, HOLDFAST_HOME: join(base, 'home'), ...env }
  return new Promise((resolve) => {
    execFile(program, words, { env: all, timeout: 250_000 }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code ?? -1) : 0, text: stdout + stderr })
    })
  })
}

/** In a network namespace with no device that is up, and with compilers that only note that somebody wanted them. */
const airGapped = (...words: string[]): Promise<Ran> =>
  run('unshare', ['--net', process.execPath, main, ...words], {
    HOLDFAST_CACHE: cache,
    PATH: `${join(base, 'bin')}:${process.env['PATH']}`,
  })

/** NAME/VERSION-KEY of each asset with its manifest, but for containerd's databases, which hold times. */
async function manifests(of: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const name of (await readdir(join(of, 'assets'))).filter((name) => name !== 'containerd-template')) {
    for (const version of await readdir(join(of, 'assets', name)))
      found[`${name}/${version}`] = await readFile(join(of, 'assets', name, version, 'manifest'), 'utf8')
  }
  return found
}

async function assetOf(name: string): Promise<string> {
  const [version = ''] = await readdir(join(cache, 'assets', name))
  return join(cache, 'assets', name, version)
}

describe.runIf(isPossible)('a host with an air gap', () => {
  test('gets everything from a bundle, the same to the last byte', async () => {
    const bundle = join(base, 'holdfast-assets.tar')
    const bundled = await run(process.execPath, [main, 'assets', 'bundle', bundle], {
      HOLDFAST_CACHE: origin,
    })
    expect(bundled, bundled.text).toMatchObject({ code: 0 })

    const fetched = await airGapped('assets', 'fetch', '--bundle', bundle)

    expect(fetched, fetched.text).toMatchObject({ code: 0 })
    expect(existsSync(join(base, 'compiled'))).toBe(false)
    const here = await manifests(cache)
    expect(Object.keys(here).map((name) => name.split('/')[0])).toEqual([
      'bin',
      'cni',
      'containerd',
      'coredns',
      'etcd',
      'images',
      'kubernetes',
      'machine-root',
      'pause',
      'probe',
    ])
    const there = await manifests(origin)
    for (const [name, manifest] of Object.entries(here)) expect(there[name] === manifest, name).toBe(true)
    expect(await readdir(join(await assetOf('containerd-template'), 'files'))).toContain(
      'io.containerd.content.v1.content',
    )
    expect((await airGapped('assets', 'list')).code).toBe(0)
  })

  test('a byte that was changed in its cache is noticed, and the bundle brings back what it was', async () => {
    const before = await manifests(cache)
    const kubelet = join(await assetOf('kubernetes'), 'files', 'kubelet')
    await changeByte(kubelet)

    const listed = await airGapped('assets', 'list')
    const alone = await airGapped('kubectl', 'version', '--client')
    const fetched = await airGapped('assets', 'fetch', '--bundle', join(base, 'holdfast-assets.tar'))

    expect(listed.code).toBe(3)
    expect(listed.text).toContain(`${kubelet} was changed.`)
    expect(alone).toMatchObject({ code: 1, text: expect.stringContaining(`${kubelet} was changed.`) })
    expect(fetched, fetched.text).toMatchObject({ code: 0 })
    expect(fetched.text).toContain('in the cache is damaged and is not used')
    expect(await manifests(cache)).toEqual(before)
    const linked = await stat(join(await assetOf('bin'), 'files', 'kubelet'))
    expect(linked.ino).toBe((await stat(kubelet)).ino)
    expect((await airGapped('assets', 'list', '--verify')).code).toBe(0)
  })
})
