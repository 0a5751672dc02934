import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import { checkWritable, openStore } from '../../src/store/open.ts'

describe('openStore', () => {
  test.each([
    ['', 'it is no URL'],
    ['/var/lib/store', 'it is no URL'],
    ['file:', 'it names no folder'],
    ['file:///', 'it names no folder'],
    ['file://var/lib/store', 'it names a host ("var")'],
    ['file:///x?y=1', 'it has a query'],
    ['https://example.com/store', '"https:" is not known'],
  ])('%j is refused: %s', async (url, reason) => {
    await expect(openStore(url)).rejects.toMatchObject({
      code: 'store-url-invalid',
      message: expect.stringContaining(reason),
      remedy: expect.stringContaining('file:///'),
    })
  })

  test('S3 answers that it is not there yet', async () => {
    await expect(openStore('s3://bucket/prefix')).rejects.toMatchObject({
      code: 'store-kind-unsupported',
      message: expect.stringContaining('not there yet'),
    })
  })

  test('a file URL with escapes opens that folder', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'hf store '))
    try {
      const store = await openStore(pathToFileURL(join(folder, 's')).href)
      await checkWritable(store)

      expect(store.location).toContain('hf%20store%20')
      expect(await store.list('')).toEqual([])
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('checkWritable tells why a store cannot be used', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'hf-store-'))
    try {
      writeFileSync(join(folder, 'file'), '')
      const store = await openStore(pathToFileURL(join(folder, 'file', 'store')).href)

      await expect(checkWritable(store)).rejects.toMatchObject({ code: 'store-unavailable' })
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
