import { mkdir, readFile, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { lookAtDisk, setAside, stampDisk } from '../../src/agent/volumes.ts'
import type { Stamp } from '../../src/quorum/records.ts'
import { scratch } from '../assets/scratch.ts'

const stamp: Stamp = {
  uuid: 'u',
  etcd: 'main',
  seat: 'a',
  volumeId: 'vol-a',
  epoch: 1,
  generation: 1,
  attempt: 1,
  memberId: 'm1',
  clusterId: 'c1',
}
let mount: string
let file: string

beforeEach(async () => {
  mount = await scratch()
  file = join(mount, 'holdfast.json')
  await stampDisk('main', stamp, mount)
})

test('a stamp that is there already is not written again, which a full disk would refuse, but is as new', async () => {
  const { ino } = await stat(file)
  await utimes(file, 1, 1)

  await stampDisk('main', stamp, mount)
  const same = await stat(file)
  await stampDisk('main', { ...stamp, epoch: 2 }, mount)

  expect(same.ino).toBe(ino)
  expect(same.mtimeMs).toBeGreaterThan(Date.now() - 60_000)
  expect(JSON.parse(await readFile(file, 'utf8')).epoch).toBe(2)
})

test('data that no second copy of fits is not set aside while earlier data is there', async () => {
  const snap = join(mount, 'c1-m1', 'member', 'snap')
  await mkdir(snap, { recursive: true })
  await writeFile(join(snap, 'db'), '')
  await truncate(join(snap, 'db'), 8 * 1024 ** 4)
  const alone = await lookAtDisk('main', 'vol-a', mount)
  await setAside('main', stamp, mount)
  await stampDisk('main', stamp, mount)
  await mkdir(snap, { recursive: true })
  await writeFile(join(snap, 'db'), 'small')
  const small = await lookAtDisk('main', 'vol-a', mount)
  await truncate(join(snap, 'db'), 8 * 1024 ** 4)

  const crowded = await lookAtDisk('main', 'vol-a', mount)

  for (const disk of [alone, small]) expect(disk).not.toHaveProperty('noRoom')
  expect(crowded).toMatchObject({
    noRoom: expect.stringMatching(
      /GiB is free and a new copy takes 8192\.0 GiB: .* \(set-aside-m1-\d+ in .* on this machine\)$/,
    ),
  })
})
