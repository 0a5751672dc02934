import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
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

  expect(await readAsset(cache, id)).toEqual(published)
  expect(published).toMatchObject({ source: 'built', bytes: 9 })
  expect(await readAsset(cache, { ...id, key: 'other' })).toBeUndefined()
})

test('the same content has the same SHA-256 wherever it is', async () => {
  const first = await publishAsset(await scratch(), id, fill)
  const second = await publishAsset(await scratch(), id, fill)

  expect(second.sha256).toBe(first.sha256)
})

test('what is published again takes the place of the former; all of them stay for those who use them', async () => {
  const cache = await scratch()
  const first = await publishAsset(cache, id, fill)
  await writeFile(join(first.dir, 'two'), 'tw')

  const second = await publishAsset(cache, id, fill)
  await publishAsset(cache, id, fill)

  expect(await readFile(join(second.dir, 'two'), 'utf8')).toBe('twotwo')
  const aside = await readdir(join(cache, 'damaged'))
  expect(aside).toEqual(Array(2).fill(expect.stringMatching(/^thing-1\.2-abc-[0-9a-f]{8}$/)))
  const contents = await Promise.all(
    aside.map((name) => readFile(join(cache, 'damaged', name, 'files', 'two'), 'utf8')),
  )
  expect(contents.sort()).toEqual(['tw', 'twotwo'])
  expect(await readdir(join(cache, 'assets', 'thing'))).toEqual(['1.2-abc'])
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
