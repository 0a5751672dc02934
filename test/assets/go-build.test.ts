import { execFileSync, spawnSync } from 'node:child_process'
import { appendFile, readdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { goArguments, goBuild, goIngredients } from '../../src/assets/go-build.ts'
import { takeBundle } from '../../src/assets/remedies.ts'
import type { HoldfastError } from '../../src/errors.ts'
import { scratch } from './scratch.ts'

const hasGo = spawnSync('go', ['version']).status === 0
const making = { env: process.env, progress: () => {} }

async function moduleOf(source: string): Promise<string> {
  const dir = await scratch()
  await writeFile(join(dir, 'go.mod'), 'module example.test/tiny\n\ngo 1.22\n')
  await writeFile(join(dir, 'main.go'), source)
  return dir
}

test('the flags are those that the build cache was filled with', () => {
  const build = { module: 'x', packages: ['p'], tags: ['a', 'b'], variables: { 'p.V': 'v1', 'p.W': '' } }

  expect(goArguments(build)).toEqual([
    '-mod=readonly',
    '-trimpath',
    '-tags',
    'a,b',
    '-ldflags',
    '-s -w -X p.V=v1 -X p.W=',
  ])
})

test('a changed module or flag changes the recipe', async () => {
  const module = await moduleOf('package main\nfunc main() {}\n')
  const build = { module, packages: ['.'] }
  const before = goIngredients(build, ['main.go'])

  await writeFile(join(module, 'main.go'), 'package main\nfunc main() { panic(1) }\n')

  expect(goIngredients(build, ['main.go'])).not.toEqual(before)
  expect(goIngredients(build)).toEqual(goIngredients({ ...build }))
  expect(goIngredients({ ...build, tags: ['t'] })).not.toEqual(goIngredients(build))
})

test.skipIf(!hasGo)(
  'a module becomes static programs under the wanted names',
  { timeout: 60_000 },
  async () => {
    const source = 'package main\nvar version = "unset"\nfunc main() { print(version) }\n'
    const build = { module: await moduleOf(source), packages: ['.'], renames: { tiny: 'program' } }
    const out = await scratch()

    await goBuild({ ...build, variables: { 'main.version': 'v7' } }, out, making)

    expect(await readdir(out)).toEqual(['program'])
    expect(spawnSync(join(out, 'program')).stderr.toString()).toBe('v7')
    expect(execFileSync('sh', ['-c', `ldd ${join(out, 'program')} 2>&1 || true`]).toString()).toMatch(
      /not a dynamic/,
    )
  },
)

test.skipIf(!hasGo)('a compiler’s complaint is passed on', { timeout: 60_000 }, async () => {
  const module = await moduleOf('package main\nfunc main() { nonsense() }\n')

  const building = goBuild({ module, packages: ['.'] }, await scratch(), making)

  await expect(building).rejects.toMatchObject({
    code: 'asset-command-failed',
    message: expect.stringContaining('nonsense'),
    remedy: expect.stringMatching(/^Mend what is named above/),
  })
})

describe('a build that fails says what to do about it', () => {
  /** What a build in an environment fails with. */
  async function failure(env: NodeJS.ProcessEnv, change: (module: string) => Promise<void> = async () => {}) {
    const module = await moduleOf('package main\nfunc main() {}\n')
    await change(module)
    const building = goBuild({ module, packages: ['.'] }, await scratch(), { ...making, env })
    return building.then(
      () => ({ code: 'none', remedy: 'none' }),
      (error: HoldfastError) => error,
    )
  }

  async function pathWithoutGo() {
    const dir = await scratch()
    for (const tool of ['setpriv', 'unshare']) await symlink(`/usr/bin/${tool}`, join(dir, tool))
    return dir
  }

  test('without Go', async () => {
    expect(await failure({ PATH: await pathWithoutGo() })).toMatchObject({
      code: 'asset-command-missing',
      remedy: `Install Go 1.26 or newer. ${takeBundle}`,
    })
  })

  test.runIf(process.getuid?.() === 0)('without Go, called through sudo', async () => {
    const sudo = async (uid: string) => (await failure({ PATH: await pathWithoutGo(), SUDO_UID: uid })).remedy

    expect(await sudo('4000001')).toMatch(
      /^Install Go .* try `sudo env "PATH=\$PATH" holdfast …`\. Or .* --bundle FILE`/,
    )
    expect(await sudo('0')).not.toContain('sudo')
  })

  test.skipIf(!hasGo)('with a Go that is too old', async () => {
    const newer = (module: string) =>
      writeFile(join(module, 'go.mod'), 'module example.test/tiny\n\ngo 1.999\n')

    const { remedy } = await failure({ ...process.env, GOTOOLCHAIN: 'local' }, newer)

    expect(remedy).toMatch(/^Install Go 1.26 or newer\. Or /)
  })

  test.skipIf(!hasGo)('without the modules', async () => {
    const env = { ...process.env, GOPROXY: 'http://127.0.0.1:1' }
    const none = 'A'.repeat(43)
    const wants = async (module: string) => {
      await appendFile(join(module, 'go.mod'), '\nrequire example.test/x v1.0.0\n')
      await writeFile(join(module, 'main.go'), 'package main\nimport _ "example.test/x"\nfunc main() {}\n')
      await writeFile(
        join(module, 'go.sum'),
        `example.test/x v1.0.0 h1:${none}=\nexample.test/x v1.0.0/go.mod h1:${none}=\n`,
      )
    }

    expect((await failure(env, wants)).remedy).toMatch(/^Check that Go gets its modules .* Or /)
  })

  test('without memory', async () => {
    const bin = await scratch()
    const killed = 'k8s.io/api/core/v1: /usr/local/go/pkg/tool/linux_amd64/compile: signal: killed'
    await writeFile(join(bin, 'go'), `#!/bin/sh\necho '${killed}' >&2\nexit 1\n`, { mode: 0o755 })

    expect((await failure({ PATH: `${bin}:/usr/bin:/bin` })).remedy).toContain('end other programs')
  })
})
