import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { publishAsset, readAsset } from '../../src/assets/cache.ts'
import { scratch } from './scratch.ts'

const id = { name: 'thing', version: '1.2', key: 'abc' }

const fill = async (dir: string) => {
  await mkdir(join(dir, 'sub'))
  await writeFile(join(dir, 'sub', 'one'), 'one')
  await writeFile(join(dir, 'two'), 'twotwo')
  await symlink('two', join(dir, 'link'))
  return 'built' as const
}

test('what was published is read back, and only under its own key', async () => {
  const cache = await scratch()

  const published = await publishAsset(cache, id, fill)

  expect(await readAsset(cache, id, { verify: true })).toEqual(published)
  expect(published).toMatchObject({ source: 'built', bytes: 9 })
  expect(await readAsset(cache, { ...id, key: 'other' })).toBeUndefined()
})

test('the same content has the same SHA-256 wherever it is', async () => {
  const first = await publishAsset(await scratch(), id, fill)
  const second = await publishAsset(await scratch(), id, fill)

  expect(second.sha256).toBe(first.sha256)
})

test('a file cut short is noticed at once, and publishing repairs it', async () => {
  const cache = await scratch()
  const { dir } = await publishAsset(cache, id, fill)

  await writeFile(join(dir, 'two'), 'tw')

  expect(await readAsset(cache, id)).toBeUndefined()
  await publishAsset(cache, id, fill)
  expect(await readAsset(cache, id, { verify: true })).toBeDefined()
})

test.for([
  ['changed', (dir: string) => writeFile(join(dir, 'two'), 'TWOTWO'), 'two'],
  ['added', (dir: string) => writeFile(join(dir, 'three'), ''), 'three'],
] as const)('a full verification finds a file that was %s', async ([, damage, name]) => {
  const cache = await scratch()
  const { dir } = await publishAsset(cache, id, fill)

  await damage(dir)

  await expect(readAsset(cache, id, { verify: true })).rejects.toMatchObject({
    code: 'asset-damaged',
    message: expect.stringContaining(name),
  })
})

test('a failure leaves nothing, and the leftovers of a kill are removed by the next', async () => {
  const cache = await scratch()
  const parent = join(cache, 'assets', 'thing')
  await mkdir(join(parent, '.abc-killed', 'files'), { recursive: true })

  const failing = publishAsset(cache, id, async (dir) => {
    await writeFile(join(dir, 'half'), 'half')
    throw new Error('no')
  })

  await expect(failing).rejects.toThrow('no')
  expect(await readdir(parent)).toEqual([])
  expect(await readAsset(cache, id)).toBeUndefined()
})
