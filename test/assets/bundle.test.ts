import { chmod, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openBundle, writeBundle } from '../../src/assets/bundle-file.ts'
import { publishAsset } from '../../src/assets/cache.ts'
import { textEntry, writeTar } from '../../src/assets/tar.ts'
import { scratch } from './scratch.ts'

const id = { name: 'thing', version: '1', key: 'abc' }

async function bundled() {
  const asset = await publishAsset(await scratch(), id, async (dir) => {
    await writeFile(join(dir, 'program'), 'x'.repeat(5000))
    await chmod(join(dir, 'program'), 0o755)
    return 'built'
  })
  const file = join(await scratch(), 'bundle.tar')
  return { file, bundle: await writeBundle(file, '1.36.3', [asset], () => {}) }
}

test('a bundle gives back its files with their modes', async () => {
  const { file } = await bundled()
  const dir = await scratch()

  const bundle = await openBundle(file)
  const found = await bundle.extract(id, dir)

  expect(found).toBe(true)
  expect(bundle.kubernetesVersion).toBe('1.36.3')
  expect(await readFile(join(dir, 'program'), 'utf8')).toBe('x'.repeat(5000))
  expect((await stat(join(dir, 'program'))).mode & 0o777).toBe(0o755)
  expect(await bundle.extract({ ...id, key: 'other' }, await scratch())).toBe(false)
})

test('a single changed byte is refused, by reading and by use', async () => {
  const { file } = await bundled()
  const content = await readFile(file)
  const zstdMagic = Buffer.from([0x28, 0xb5, 0x2f, 0xfd])
  const at = content.indexOf(zstdMagic) + 12
  content[at] = (content[at] ?? 0) ^ 0xff

  await writeFile(file, content)

  const damaged = await openBundle(file)
  await expect(damaged.verify()).rejects.toMatchObject({ code: 'bundle-damaged' })
  await expect(damaged.extract(id, await scratch())).rejects.toMatchObject({ code: 'bundle-damaged' })
})

test('a bundle that was cut off is refused', async () => {
  const { file } = await bundled()

  await truncate(file, (await stat(file)).size - 1500)

  await expect(openBundle(file)).rejects.toMatchObject({ code: 'bundle-unreadable' })
})

const contents = (more: object) =>
  JSON.stringify({ format: 1, arch: process.arch, kubernetesVersion: '1.36.3', assets: [], ...more })

test.for([
  ['text', [] as string[], 'hello'.repeat(300)],
  ['an empty file', [], ''],
  ['a tar of something else', ['other', '{}'], undefined],
  ['another processor’s', ['holdfast-bundle.json', contents({ arch: 'riscv64' })], undefined],
  ['a later format', ['holdfast-bundle.json', contents({ format: 2 })], undefined],
] as const)('%s is not taken for a bundle', async ([, member, text]) => {
  const file = join(await scratch(), 'bundle.tar')
  const [name, content] = member
  const chunks: Uint8Array[] = []
  if (name) for await (const chunk of writeTar([textEntry(name, content ?? '')])) chunks.push(chunk)

  await writeFile(file, text ?? Buffer.concat(chunks))

  await expect(openBundle(file)).rejects.toMatchObject({
    code: 'bundle-unreadable',
    message: expect.stringContaining(file),
  })
})

test('a file that is not there is named', async () => {
  const file = join(await scratch(), 'nowhere.tar')

  await expect(openBundle(file)).rejects.toMatchObject({ code: 'bundle-unreadable' })
})
