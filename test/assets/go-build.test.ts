import { execFileSync, spawnSync } from 'node:child_process'
import { readdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { goArguments, goBuild, goIngredients } from '../../src/assets/go-build.ts'
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
  })
})

test('without Go the error says what to do', async () => {
  const module = await moduleOf('package main\nfunc main() {}\n')
  const empty = await scratch()
  for (const tool of ['setpriv', 'unshare']) await symlink(`/usr/bin/${tool}`, join(empty, tool))
  const env = { PATH: empty }

  const building = goBuild({ module, packages: ['.'] }, await scratch(), { ...making, env })

  await expect(building).rejects.toMatchObject({
    code: 'asset-command-missing',
    remedy: expect.stringContaining('holdfast assets bundle'),
  })
})
