import { spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { hostFacts } from '../../../src/clouds/local/preflight.ts'
import { diskProblems, type FolderFacts } from '../../../src/clouds/local/preflight-disk.ts'
import type { Wanted } from '../../../src/clouds/local/preflight-rules.ts'
import { resolveHome } from '../../../src/home.ts'
import { scratch } from '../../assets/scratch.ts'
import { gib, goodHost, usual } from './good-host.ts'

const good = goodHost.disk
const only = (what: string, change: object) =>
  good.map((disk) => (disk.what.startsWith(what) ? { ...disk, ...change } : disk))
/** All on one disk. */
const oneDisk = (free: number) => good.map((disk) => ({ ...disk, device: 1, free }))

describe('the disk', () => {
  const cases: [name: string, disk: FolderFacts[], changes: Partial<Wanted>, expected: RegExp | undefined][] =
    [
      [
        'no room for Go',
        only('go', { free: 8 * gib }),
        {},
        /^error host.disk: Go's compiled packages \(6.0 GiB at \/go\/build\) and Go's modules \(3.0 GiB at \/go\/mod\) need 9.0 GiB of one disk, 8.0 GiB is free$/,
      ],
      [
        'no room for one of Go’s caches, which has a disk of its own',
        only('go-modules', { device: 4, free: 2 * gib }),
        {},
        /^error host.disk.go-modules: Go's modules need 3.0 GiB of disk, 2.0 GiB is free at \/go\/mod$/,
      ],
      ['Go’s caches on two disks', only('go-build', { device: 4, free: 6 * gib }), {}, undefined],
      [
        'room for each, and not for all',
        oneDisk(12 * gib),
        {},
        /^error host.disk: the machines .*, the assets .*, Go's compiled packages .* and Go's modules .* need 13.0 GiB of one disk, 12.0 GiB is free$/,
      ],
      ['room for what is filled of them', oneDisk(12 * gib), { build: false, volumesGib: 8 }, undefined],
      [
        'no room for volumes beside it',
        oneDisk(12 * gib),
        { build: false },
        /^warning host.disk.home: The volumes may grow to 12 GiB, 8.0 GiB is left for them at \/home$/,
      ],
      [
        'disks of which nothing was found out',
        good.map((disk) => ({ ...disk, free: undefined })),
        {},
        undefined,
      ],
      [
        'no room for Go that is not needed',
        only('go', { free: 0, writable: false }),
        { build: false },
        undefined,
      ],
      ['no room for assets', only('cache', { free: 2 * gib }), { build: false }, /^error host.disk.cache/],
      ['assets are there already', only('cache', { free: 0 }), { fetch: false, build: false }, undefined],
      [
        'a full home',
        only('home', { free: gib / 2 }),
        {},
        /^error host.disk.home: the machines need 1.0 GiB of disk, 0.5 GiB is free at \/home/,
      ],
      [
        'volumes larger than the disk',
        only('home', { free: 5 * gib }),
        {},
        /^warning host.disk.home: The volumes may grow to 12 GiB, 4.0 GiB is left for them at \/home/,
      ],
      [
        'a home that cannot be written to',
        only('home', { writable: false }),
        {},
        /^error host.disk.home: \/home cannot be written to/,
      ],
      [
        'a full home of what runs already',
        only('home', { free: 0 }),
        { running: 4, volumesGib: 0 },
        undefined,
      ],
      [
        'a home that the machines could not be told',
        only('home', { path: '/tmp/a,b' }),
        {},
        /^error host.disk.home: \/tmp\/a,b has a comma, colon or backslash/,
      ],
      [
        'such a cache',
        only('cache', { path: '/tmp/a:b' }),
        { fetch: false, build: false },
        /^error host.disk.cache: \/tmp\/a:b has a comma/,
      ],
      ['such a cache of Go', only('go', { path: '/tmp/a:b' }), {}, undefined],
    ]
  test.each(cases)('%s', (_name, disk, changes, expected) => {
    const found = diskProblems(disk, { ...usual, ...changes }).map(
      ({ severity, path, message }) => `${severity} ${path}: ${message}`,
    )

    expect(found).toEqual(expected ? [expect.stringMatching(expected)] : [])
  })

  test.skipIf(spawnSync('go', ['version']).status !== 0)(
    'what Go was told about its caches for good counts, and so does what is on one disk',
    async () => {
      const dir = await scratch()
      const settings = join(dir, 'settings')
      await writeFile(settings, 'GOCACHE=/proc/build\nGOMODCACHE=/proc/modules\n')
      vi.stubEnv('GOENV', settings)
      for (const name of ['GOCACHE', 'GOMODCACHE']) vi.stubEnv(name, undefined)
      onTestFinished(() => void vi.unstubAllEnvs())

      const { disk } = await hostFacts(
        resolveHome({ HOLDFAST_HOME: dir, HOLDFAST_CACHE: join(dir, 'cache') }),
      )

      expect(disk.map(({ what, path }) => [what, path])).toEqual([
        ['home', dir],
        ['cache', join(dir, 'cache')],
        ['go-build', '/proc/build'],
        ['go-modules', '/proc/modules'],
      ])
      const [home, cache, build, modules] = disk.map(({ device }) => device)
      expect([cache, modules]).toEqual([home, build])
      expect(build).not.toBe(home)
    },
  )
})
