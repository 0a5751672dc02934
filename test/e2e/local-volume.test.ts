import { existsSync } from 'node:fs'
import { mkdtemp, open, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { LocalMachine, LocalVolume } from '../../src/clouds/local/parts.ts'
import {
  attachVolume,
  createVolume,
  deleteVolume,
  mountsDevice,
  sweepVolumes,
  volumeFile,
} from '../../src/clouds/local/volume.ts'
import { ensureLoop, isFree, loopOf } from '../../src/clouds/local/volume-loop.ts'
import { type Home, resolveHome } from '../../src/home.ts'
import { localHost } from '../../src/hosts/local.ts'

const volume: LocalVolume = {
  id: 'vol-a-main-x',
  cluster: 'one',
  seat: 'a',
  etcd: 'main',
  zone: 'za',
  sizeGib: 1,
}
const machine: LocalMachine = {
  id: 'master-a-x',
  cluster: 'one',
  group: 'master-a',
  role: 'master',
  zone: 'za',
  address: '10.213.0.2',
  state: 'running',
  bootedAt: '',
  device: 'hf-000000-x',
}

let folder: string
let home: Home
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hf-volume-'))
  home = resolveHome({ HOLDFAST_HOME: folder })
})
afterEach(() => rm(folder, { recursive: true, force: true }))

describe('volumes', () => {
  test('are sparse files of the real size, private, and made once', async () => {
    await createVolume(home, volume)
    const made = await stat(volumeFile(home, volume))
    const file = await open(volumeFile(home, volume), 'r+')
    await file.write('data')
    await file.close()
    await createVolume(home, volume)

    expect([made.size, made.mode & 0o777]).toEqual([1024 ** 3, 0o600])
    expect(made.blocks * 512).toBeLessThan(1024 ** 2)
    const again = await open(volumeFile(home, volume), 'r')
    expect(String((await again.read(Buffer.alloc(4), 0, 4)).buffer)).toBe('data')
    await again.close()
  })

  test('another zone or cluster, lost data and a machine that is off are told apart', async () => {
    const wrongZone = attachVolume(home, volume, { ...machine, zone: 'zb' })
    const wrongCluster = attachVolume(home, volume, { ...machine, cluster: 'two' })
    const missing = attachVolume(home, volume, machine)

    await expect(wrongZone).rejects.toMatchObject({ code: 'zone-mismatch' })
    await expect(wrongCluster).rejects.toMatchObject({ code: 'zone-mismatch' })
    await expect(missing).rejects.toMatchObject({ code: 'volume-missing' })
    await createVolume(home, volume)
    await expect(attachVolume(home, volume, machine)).rejects.toMatchObject({ code: 'machine-not-running' })
  })

  test('a mount is recognised by the device’s number', () => {
    const mountinfo =
      '36 35 98:0 /a /b rw shared:1 - ext4 /dev/root rw\n40 35 7:3 / /mnt rw - ext4 /dev/holdfast-x rw\n'

    expect(mountsDevice(mountinfo, { major: 7, minor: 3 })).toBe(true)
    expect(mountsDevice(mountinfo, { major: 7, minor: 30 })).toBe(false)
  })
})

const possible = process.getuid?.() === 0 && existsSync('/dev/loop-control')

describe.skipIf(!possible)('a real loop device', () => {
  test('is one a file, is in use while mounted anywhere, and is never taken away by force', async () => {
    await createVolume(home, volume)
    const file = volumeFile(home, volume)
    const one = await ensureLoop(file)
    const two = await ensureLoop(file)
    const host = localHost()
    const mountpoint = join(folder, 'mnt')

    expect(two).toEqual(one)
    // Blank and unknown, but somebody may be about to write.
    expect(await sweepVolumes(home, volume.cluster, new Set())).toEqual([file])
    expect(await isFree(one)).toBe(true)
    await host.run(['mkfs.ext4', '-q', '-E', 'nodiscard', one.path])
    // In a namespace that nobody else sees.
    const script = 'mkdir -p "$2" && mount "$1" "$2" && echo mounted && sleep 60'
    const { spawn } = await import('node:child_process')
    const holder = spawn('unshare', ['--mount', 'sh', '-c', script, 'sh', one.path, mountpoint], {
      detached: true,
    })
    await new Promise((resolve) => holder.stdout.once('data', resolve))

    expect(await isFree(one)).toBe(false)
    await expect(deleteVolume(home, volume)).rejects.toMatchObject({ code: 'volume-busy' })
    expect(await loopOf(file)).toEqual(one)

    process.kill(-(holder.pid ?? 0), 'SIGKILL')
    await deleteVolume(home, volume)
    expect(await loopOf(file)).toBeUndefined()
    expect(existsSync(file)).toBe(false)
    await deleteVolume(home, volume)
  })
})
