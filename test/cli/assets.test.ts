import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Asset, publishAsset } from '../../src/assets/cache.ts'
import { etcdRecipe, kubernetesRecipe } from '../../src/assets/catalog.ts'
import { rememberVerified } from '../../src/assets/damage.ts'
import { assetId, type Recipe } from '../../src/assets/recipe.ts'
import { componentVersions } from '../../src/assets/versions.ts'
import { kubernetes } from '../../src/constants.ts'
import { changeByte } from '../assets/scratch.ts'
import { type TestCli, testCli } from './support.ts'

const versions = componentVersions(kubernetes.defaultVersion)

let cli: TestCli
beforeEach(() => {
  cli = testCli()
})
afterEach(() => cli.remove())

/** Stands in for what takes minutes to build. */
const inCache = (recipe: Recipe, program: string): Promise<Asset> =>
  publishAsset(join(cli.cwd, 'cache'), assetId(recipe), async (dir) => {
    await writeFile(join(dir, program), `the ${program}`, { mode: 0o755 })
    return 'built'
  })

/** What `assets list` says of what is there. */
async function listed(words: string): Promise<{ there: Record<string, string>; code: number; out: string }> {
  const { out, code } = await cli.run(['assets', 'list', ...words.split(' ').filter(Boolean)])
  const rows = out.split('\n').map((line) => line.split(/\s{2,}/))
  return { there: Object.fromEntries(rows.map(([name = '', , there = '']) => [name, there])), code, out }
}

test('assets list tells what is there from what is damaged, and ends with 3 then', async () => {
  const { dir } = await inCache(kubernetesRecipe(versions), 'kubectl')
  await inCache(etcdRecipe(versions), 'etcd')

  const before = await listed('')
  await changeByte(join(dir, 'kubectl'))
  const after = await listed('')

  expect(before).toMatchObject({ code: 0, there: { kubernetes: 'yes', etcd: 'yes', coredns: 'no' } })
  expect(after).toMatchObject({ code: 3, there: { kubernetes: 'damaged', etcd: 'yes', coredns: 'no' } })
  expect(after.out).toContain(`${dir}/kubectl was changed.`)
  expect(after.out).toContain('holdfast assets fetch')
  const data = JSON.parse((await cli.run(['assets', 'list', '-o', 'json'])).out)
  expect(data).toContainEqual(
    expect.objectContaining({ name: 'kubernetes', damage: `${dir}/kubectl was changed.` }),
  )
})

test('assets list --verify reads every file again', async () => {
  const asset = await inCache(etcdRecipe(versions), 'etcd')
  await changeByte(join(asset.dir, 'etcd'))
  // As if the disk gave back other bytes than were written.
  await rememberVerified(asset, {})

  expect(await listed('')).toMatchObject({ code: 0, there: { etcd: 'yes' } })
  expect(await listed('--verify')).toMatchObject({ code: 3, there: { etcd: 'damaged' } })
})

test('a damaged kubectl is not run', async () => {
  const { dir } = await inCache(kubernetesRecipe(versions), 'kubectl')
  const run: string[] = []
  const kubectl = () =>
    cli.run(['kubectl', 'version', '--client'], {
      attach: async ([file = '']) => {
        run.push(file)
        return 0
      },
    })
  expect((await kubectl()).code).toBe(0)

  await changeByte(join(dir, 'kubectl'))
  const refused = await kubectl()

  expect(run).toEqual([join(dir, 'kubectl')])
  expect(refused.code).toBe(1)
  expect(refused.err).toContain(`cannot be used: ${dir}/kubectl was changed.`)
  expect(refused.err).toContain('holdfast assets fetch')
})
