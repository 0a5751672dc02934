import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import { openFileStore } from '../../src/store/file.ts'
import { StoreCorruptError } from '../../src/store/record.ts'
import { type StateStore, StoreUnavailableError } from '../../src/store/store.ts'
import { storeConformance } from '../conformance/store.ts'
import { newFolder } from './new-folder.ts'

storeConformance('file', async () => openFileStore(newFolder()))

describe('file store: on disk', () => {
  test('files are 0600 and folders 0700, also with a loose umask', async () => {
    const folder = newFolder()
    const before = process.umask(0)
    try {
      await openFileStore(folder).put('c/pki/private/ca.pem', 'secret')
    } finally {
      process.umask(before)
    }

    const mode = (path: string) => (statSync(path).mode & 0o777).toString(8)
    expect(mode(join(folder, 'c/pki/private/ca.pem'))).toBe('600')
    for (const path of [folder, join(folder, 'c'), join(folder, 'c/pki/private'), join(folder, '.holdfast')])
      expect(mode(path)).toBe('700')
  })

  test('the value follows one readable header line', async () => {
    const folder = newFolder()
    await openFileStore(folder).put('c/cluster.yaml', 'kind: Cluster\n')

    const [header, ...rest] = readFileSync(join(folder, 'c/cluster.yaml'), 'utf8').split('\n')
    expect(header).toMatch(/^# holdfast 1 revision 1 sha256 [0-9a-f]{64}$/)
    expect(rest.join('\n')).toBe('kind: Cluster\n')
  })

  test('opened by URL or by path it is the same store', async () => {
    const folder = newFolder()
    await openFileStore(pathToFileURL(folder).href).put('c/x', 'by URL')

    expect((await openFileStore(folder).get('c/x'))?.value).toBe('by URL')
    expect(openFileStore(folder).location).toBe(pathToFileURL(folder).href)
  })

  test('reading makes nothing; the last key deleted leaves what a revision of its former life is known by', async () => {
    const folder = newFolder()
    const store = openFileStore(folder)
    await store.get('c/x')
    await store.list('c/')
    expect(() => statSync(folder)).toThrow('ENOENT')

    const former = await store.put('c/deep/er/x', 'x')
    await store.delete('c/deep/er/x')

    expect(readdirSync(folder, { recursive: true }).sort()).toEqual([
      '.holdfast',
      '.holdfast/floor',
      '.holdfast/lock',
      '.holdfast/lock/free',
    ])
    const again = openFileStore(folder)
    await again.put('c/deep/er/x', 'anew')
    await expect(again.put('c/deep/er/x', 'stale', { ifRevision: former })).rejects.toThrow('c/deep/er/x')
  })

  test("an editor's files and drafts are no keys", async () => {
    const folder = newFolder()
    const store = openFileStore(folder)
    await store.put('c/cluster.yaml', 'x')
    for (const name of ['cluster.yaml~', '.cluster.yaml.swp', '#cluster.yaml#'])
      writeFileSync(join(folder, 'c', name), 'x')

    expect(await store.list('c/')).toEqual(['c/cluster.yaml'])
  })
})

describe('file store: damage', () => {
  test.each([
    [
      'one bit of the value',
      (bytes: Buffer) => bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1),
    ],
    ['one digit of the revision', (bytes: Buffer) => bytes.write('9', bytes.indexOf(' sha256') - 1)],
    ['no header', (bytes: Buffer) => bytes.write('!', 0)],
  ])('%s is noticed, named, and never overwritten', async (_what, spoil) => {
    const folder = newFolder()
    const file = join(folder, 'c/x')
    const store = openFileStore(folder)
    await store.put('c/x', 'some value')
    const bytes = readFileSync(file)
    spoil(bytes)
    writeFileSync(file, bytes)

    await expect(store.get('c/x')).rejects.toThrow(StoreCorruptError)
    await expect(store.get('c/x')).rejects.toMatchObject({ code: 'store-corrupt', file })
    await expect(store.put('c/x', 'other')).rejects.toThrow(StoreCorruptError)
    expect(readFileSync(file)).toEqual(bytes)
  })

  test.each([0, 10, 90])('a file cut to %d bytes is noticed', async (length) => {
    const folder = newFolder()
    const store = openFileStore(folder)
    await store.put('c/x', 'some value')
    writeFileSync(join(folder, 'c/x'), readFileSync(join(folder, 'c/x')).subarray(0, length))

    await expect(store.get('c/x')).rejects.toThrow(StoreCorruptError)
  })

  test('a put that the system refuses is a typed error with the reason', async () => {
    const folder = newFolder()
    writeFileSync(folder, 'a file where the folder should be')
    const store = openFileStore(folder)

    await expect(store.put('c/x', 'x')).rejects.toThrow(StoreUnavailableError)
    await expect(store.put('c/x', 'x')).rejects.toMatchObject({
      code: 'store-unavailable',
      message: expect.stringContaining('no folder is in the way'),
    })
  })

  test.each([
    ['get', (store: StateStore) => store.get('c/x')],
    ['list', (store: StateStore) => store.list('')],
    ['put', (store: StateStore) => store.put('c/x', 'x')],
  ])('a place that can be no store is bad input, and its name is what to change: %s', async (_, use) => {
    const folder = newFolder()
    writeFileSync(folder, 'a file where the folder should be')

    for (const place of [folder, join(folder, 'store')]) {
      await expect(use(openFileStore(place))).rejects.toMatchObject({
        exitCode: 2,
        remedy: expect.stringMatching(/--state .*HOLDFAST_STATE_STORE/),
      })
    }
  })

  test('a place that was written before has the right name', async () => {
    const folder = newFolder()
    const store = openFileStore(folder)
    await store.put('c/x', 'x')
    rmSync(folder, { recursive: true })
    writeFileSync(folder, '')

    await expect(store.put('c/x', 'x')).rejects.toMatchObject({
      exitCode: 1,
      remedy: expect.stringContaining('changes wait until it is back'),
    })
  })

  test.each([
    ['get', (store: StateStore) => store.get('c/x')],
    ['entries', (store: StateStore) => store.entries('c/')],
  ])('so has one in which a record was read: %s', async (_, use) => {
    const folder = newFolder()
    await openFileStore(folder).put('c/x', 'x')
    const store = openFileStore(folder)
    await use(store)
    rmSync(folder, { recursive: true })
    writeFileSync(folder, '')

    await expect(store.put('c/x', 'y')).rejects.toMatchObject({
      exitCode: 1,
      remedy: expect.stringContaining('changes wait until it is back'),
    })
  })

  test('a store on a full device says that no space is left', async () => {
    const folder = newFolder()
    mkdirSync(join(folder, '.holdfast'), { recursive: true })
    // A pending file that leads to /dev/full: the write fails as it does on a full disk.
    execFileSync('ln', ['-s', '/dev/full', join(folder, '.holdfast/pending')])

    const put = openFileStore(folder).put('c/x', 'x')

    await expect(put).rejects.toMatchObject({
      code: 'store-unavailable',
      message: expect.stringContaining('no space is left'),
    })
    expect(await openFileStore(folder).get('c/x')).toBeUndefined()
  })

  test('a store that is not writable says so', async () => {
    const folder = newFolder()
    mkdirSync(folder)
    chmodSync(folder, 0o500)

    await asNobody(() => expect(openFileStore(folder).put('c/x', 'x')).rejects.toThrow('permission denied'))
    expect(readdirSync(folder)).toEqual([])
  })
})

/** Modes stop everybody but root. */
async function asNobody(action: () => Promise<void>): Promise<void> {
  const root = process.geteuid?.() === 0
  if (root) process.seteuid?.(65_534)
  try {
    await action()
  } finally {
    if (root) process.seteuid?.(0)
  }
}
