import { execFileSync } from 'node:child_process'
import { link, mkdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { type Asset, publishAsset } from '../../src/assets/cache.ts'
import { findDamage, rememberVerified } from '../../src/assets/damage.ts'
import { changeByte, scratch } from './scratch.ts'

let asset: Asset
beforeEach(async () => {
  const id = { name: 'thing', version: '1.2', key: 'abc' }
  asset = await publishAsset(await scratch(), id, async (dir) => {
    await mkdir(join(dir, 'sub'))
    await writeFile(join(dir, 'sub', 'small'), 'small')
    await writeFile(join(dir, 'large'), 'x'.repeat(3 << 20))
    await symlink('sub/small', join(dir, 'link'))
    await symlink('sub', join(dir, 'folder'))
    return 'built'
  })
})

const markerInode = async () => (await stat(join(dirname(asset.dir), 'verified'))).ino

test('what is as it was made has no damage, whether all of it is read or nothing', async () => {
  expect(await findDamage(asset)).toBeUndefined()
  expect(await findDamage(asset)).toBeUndefined()
  expect(await findDamage(asset, { all: true })).toBeUndefined()
})

test.for([
  [
    'changed, with its size and mtime as they were',
    (dir: string) => changeByte(join(dir, 'large')),
    'large was changed',
  ],
  ['cut short', (dir: string) => writeFile(join(dir, 'sub', 'small'), 'sm'), 'sub/small was changed'],
  ['added', (dir: string) => writeFile(join(dir, 'other'), ''), 'other was changed'],
  ['removed', (dir: string) => rm(join(dir, 'large')), 'large is missing'],
  [
    'led elsewhere',
    async (dir: string) => {
      await rm(join(dir, 'link'))
      await symlink('large', join(dir, 'link'))
    },
    'link was changed',
  ],
] as const)('a file that was %s is found and named', async ([, harm, words]) => {
  await rememberVerified(asset, {})

  await harm(asset.dir)

  expect(await findDamage(asset)).toContain(`${asset.dir}/${words}.`)
  // What was found stays so until it is made again.
  expect(await findDamage(asset)).toContain(words)
})

test('the folder itself is missed, and what cannot be listed in its place', async () => {
  await rename(asset.dir, join(dirname(asset.dir), 'elsewhere'))

  expect(await findDamage(asset)).toBe(`${asset.dir} is missing.`)
  await writeFile(asset.dir, '')
  expect(await findDamage(asset)).toBe(`${asset.dir} is missing.`)
})

test.runIf(process.geteuid?.() === 0)('a file that the disk does not give back is damage', async () => {
  await rememberVerified(asset, {})
  const source = join(import.meta.dirname, '..', '..', 'src', 'assets', 'damage.ts')
  const script = `const { findDamage } = await import('${source}')
console.log(await findDamage(${JSON.stringify(asset)}))`
  // To read a process's memory from its first byte fails with EIO.
  const bound = 'mount --bind /proc/$$/mem "$1" && exec "$2" --input-type=module -e "$3"'

  const words = [
    '--mount',
    'sh',
    '-c',
    bound,
    'sh',
    join(asset.dir, 'sub', 'small'),
    process.execPath,
    script,
  ]
  const said = execFileSync('unshare', words, { encoding: 'utf8' })

  expect(said).toContain(' cannot be read.')
})

test('the manifest itself is checked', async () => {
  const manifest = join(dirname(asset.dir), 'manifest')

  await writeFile(manifest, (await readFile(manifest, 'utf8')).replaceAll('a', 'b'))

  expect(await findDamage(asset)).toBe(`${manifest} was changed.`)
})

test('a file that was touched is read again, once', async () => {
  await rememberVerified(asset, {})
  await utimes(join(asset.dir, 'large'), 1, 1)
  const before = await markerInode()

  const first = await findDamage(asset)
  const between = await markerInode()
  const second = await findDamage(asset)

  expect([first, second]).toEqual([undefined, undefined])
  expect(between).not.toBe(before)
  expect(await markerInode()).toBe(between)
})

test('what the kernel does not tell is found where every file is read', async () => {
  await changeByte(join(asset.dir, 'large'))
  // As if the disk gave back other bytes than were written.
  await rememberVerified(asset, {})

  expect(await findDamage(asset)).toBeUndefined()
  expect(await findDamage(asset, { all: true })).toContain('large was changed')
})

test('hard links that machines make of a file are no reason to read it again', async () => {
  await rememberVerified(asset, { linked: true })
  const before = await markerInode()

  await link(join(asset.dir, 'large'), join(await scratch(), 'large'))

  expect(await findDamage(asset, { linked: true })).toBeUndefined()
  expect(await markerInode()).toBe(before)
  await writeFile(join(asset.dir, 'sub', 'small'), 'SMALL')
  expect(await findDamage(asset, { linked: true })).toContain('small was changed')
})

test('of files that machines link, one whose mtime was put back is found where every file is read', async () => {
  await rememberVerified(asset, { linked: true })

  await changeByte(join(asset.dir, 'large'))

  expect(await findDamage(asset, { linked: true })).toBeUndefined()
  expect(await findDamage(asset, { linked: true, all: true })).toContain('large was changed')
})
