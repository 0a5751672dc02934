import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { LocalVolume } from '../../../src/clouds/local/parts.ts'
import { localPaths } from '../../../src/clouds/local/records.ts'
import {
  condemnVolume,
  createVolume,
  deleteVolume,
  hasData,
  sweepVolumes,
  volumeFile,
} from '../../../src/clouds/local/volume.ts'
import { type Home, resolveHome } from '../../../src/home.ts'

const volume = (id: string): LocalVolume => ({
  id,
  cluster: 'one',
  seat: 'a',
  etcd: 'main',
  zone: 'za',
  sizeGib: 1,
})

let home: Home
beforeEach(async () => {
  home = resolveHome({ HOLDFAST_HOME: await mkdtemp(join(tmpdir(), 'hf-volume-')) })
})
afterEach(() => rm(home.dir, { recursive: true, force: true }))

const files = async () => (await readdir(localPaths(home).volumes('one'))).sort()

describe('what a killed process left among the volumes', () => {
  test('never used and condemned data goes, known and unknown data stays', async () => {
    for (const id of ['known', 'blank', 'condemned', 'unknown']) await createVolume(home, volume(id))
    for (const id of ['known', 'condemned', 'unknown']) await writeFile(volumeFile(home, volume(id)), 'data')
    await writeFile(`${volumeFile(home, volume('draft'))}.new`, '')
    await truncate(`${volumeFile(home, volume('draft'))}.new`, 1024 ** 3)
    await condemnVolume(home, volume('condemned'))
    expect(await hasData(home, volume('condemned'))).toBe(false)

    const kept = await sweepVolumes(home, 'one', new Set(['known', 'condemned']))

    expect(kept).toEqual([volumeFile(home, volume('unknown'))])
    expect(await files()).toEqual(['known.img', 'unknown.img'])
  })

  test('a known volume that was never used stays', async () => {
    await createVolume(home, volume('known'))

    expect(await sweepVolumes(home, 'one', new Set(['known']))).toEqual([])

    expect(await hasData(home, volume('known'))).toBe(true)
  })

  test('where there are no volumes there is nothing to clear', async () => {
    expect(await sweepVolumes(home, 'one', new Set())).toEqual([])
  })
})

test('a deletion that was cut short after its mark is completed by the next', async () => {
  await createVolume(home, volume('x'))
  await condemnVolume(home, volume('x'))

  await deleteVolume(home, volume('x'))
  await deleteVolume(home, volume('x'))

  expect(await files()).toEqual([])
  expect(existsSync(volumeFile(home, volume('x')))).toBe(false)
})
