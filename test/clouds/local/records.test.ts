import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  watch,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { localPaths, readCluster, removeDrafts, writeRecord } from '../../../src/clouds/local/records.ts'
import { nextAddress, suffixFrom } from '../../../src/clouds/local/records-names.ts'

describe('records', () => {
  let home: { dir: string }
  beforeEach(() => {
    home = { dir: mkdtempSync(join(tmpdir(), 'hf-records-')) }
  })
  afterEach(() => rmSync(home.dir, { recursive: true, force: true }))

  test('what was written is read, by nobody else', async () => {
    const paths = localPaths(home)
    const cluster = { name: 'c', index: 0, groups: {} }
    await writeRecord(paths.clusterRecord('c'), cluster)
    await writeRecord(paths.machineRecord('c', 'm-aaaaa'), { id: 'm-aaaaa' })
    await writeRecord(paths.volumeRecord('c', 'a-main-bbbbb'), { id: 'a-main-bbbbb' })

    const found = await readCluster(home, 'c')

    expect(found).toEqual({ cluster, machines: [{ id: 'm-aaaaa' }], volumes: [{ id: 'a-main-bbbbb' }] })
    expect(statSync(paths.clusterRecord('c')).mode & 0o777).toBe(0o600)
    expect(statSync(paths.cluster('c')).mode & 0o777).toBe(0o700)
    expect(await readCluster(home, 'other')).toBeUndefined()
  })

  test('many writers at once leave one whole record and no drafts', async () => {
    const path = localPaths(home).clusterRecord('c')

    await Promise.all(
      Array.from({ length: 20 }, (_, index) => writeRecord(path, { index, text: 'x'.repeat(10_000) })),
    )

    expect(JSON.parse(readFileSync(path, 'utf8'))).toHaveProperty('text')
    expect(readdirSync(localPaths(home).cluster('c'))).toEqual(['cluster.json'])
  })

  test('the draft of a writer that was killed goes, a volume that is being made stays', async () => {
    const path = localPaths(home).clusterRecord('c')
    const folder = localPaths(home).cluster('c')
    mkdirSync(path, { recursive: true })
    // Into the place of a folder no file can be renamed: what is written aside can be looked at meanwhile.
    const names = new Set<string>()
    const watcher = watch(folder, (_, name) => name && names.add(name))
    await expect(writeRecord(path, {})).rejects.toMatchObject({ code: 'EISDIR' })
    await vi.waitFor(() => expect(names.size).toBeGreaterThan(0))
    watcher.close()
    const draft = [...names].find((name) => name !== 'cluster.json') ?? ''
    writeFileSync(join(folder, draft), 'half')
    writeFileSync(join(folder, 'a-main-bbbbb.img.new'), '')

    await removeDrafts(folder)

    expect(draft).toContain('cluster.json')
    expect(readdirSync(folder).sort()).toEqual(['a-main-bbbbb.img.new', 'cluster.json'])
  })

  test('a broken record is named, never taken for nothing', async () => {
    const path = localPaths(home).clusterRecord('c')
    await writeRecord(path, {})
    writeFileSync(path, '{"name":')

    await expect(readCluster(home, 'c')).rejects.toMatchObject({ code: 'record-broken' })
  })
})

describe('addresses', () => {
  test('the first is after the gateway, the next never the last one given out', () => {
    const taken = new Set(['10.0.0.1'])

    expect(nextAddress('10.0.0.0/24', taken)).toBe('10.0.0.2')
    expect(nextAddress('10.0.0.0/24', taken, '10.0.0.2')).toBe('10.0.0.3')
    expect(nextAddress('10.0.0.0/24', taken, '10.0.0.254')).toBe('10.0.0.2')
  })

  test('a full network says so', () => {
    expect(() => nextAddress('10.0.0.0/30', new Set(['10.0.0.1', '10.0.0.2']))).toThrow('in use')
  })

  test('never one in use, never the network, the gateway or the broadcast, always inside', () => {
    const host = fc.integer({ min: 1, max: 14 }).map((last) => `10.9.8.${last + 16}`)
    fc.assert(
      fc.property(
        fc.uniqueArray(host, { maxLength: 10 }),
        fc.option(host, { nil: undefined }),
        (used, last) => {
          const taken = new Set([...used, '10.9.8.17'])

          const address = nextAddress('10.9.8.16/28', taken, last)

          expect(taken.has(address)).toBe(false)
          expect(address).toMatch(/^10\.9\.8\.(1[6-9]|2[0-9]|3[01])$/)
          expect(['10.9.8.16', '10.9.8.17', '10.9.8.31']).not.toContain(address)
        },
      ),
    )
  })

  test('suffixes are five lower-case letters or digits', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 5, maxLength: 5 }), (bytes) => {
        expect(suffixFrom(bytes)).toMatch(/^[a-z0-9]{5}$/)
      }),
    )
  })
})
