import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { cloneContainerd } from '../../src/assets/containerd-template.ts'
import { scratch } from './scratch.ts'

test('a clone shares the images and has databases of its own', async () => {
  const [template, work] = [await scratch(), await scratch()]
  const target = join(work, 'machine', 'containerd')
  const database = 'io.containerd.metadata.v1.bolt/meta.db'
  const inImage = 'io.containerd.snapshotter.v1.overlayfs/snapshots/1/fs/some.db'
  for (const [name, content] of [
    [database, 'database'],
    [inImage, 'part of an image'],
    ['blob', 'blob'],
  ] as const) {
    await mkdir(join(template, name, '..'), { recursive: true })
    await writeFile(join(template, name), content)
  }

  await cloneContainerd(template, target)
  await writeFile(join(target, database), 'changed by a machine')

  const inode = async (file: string) => (await stat(file)).ino
  expect(await inode(join(target, 'blob'))).toBe(await inode(join(template, 'blob')))
  expect(await inode(join(target, inImage))).toBe(await inode(join(template, inImage)))
  expect(await readFile(join(template, database), 'utf8')).toBe('database')
})

test('a clone to another file system is a copy', async ({ skip }) => {
  const template = await scratch()
  await writeFile(join(template, 'blob'), 'blob')
  const target = `/dev/shm/holdfast-assets-test-${process.pid}`
  const other = await stat('/dev/shm').catch(() => undefined)
  if (!other || other.dev === (await stat(template)).dev) return skip()

  await cloneContainerd(template, target)

  expect(await readFile(join(target, 'blob'), 'utf8')).toBe('blob')
  await rm(target, { recursive: true })
})
