import { existsSync } from 'node:fs'
import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  type BlockDevice,
  beginFormatting,
  blockDevice,
  endFormatting,
  format,
  hasFileSystem,
} from '../../src/agent/volume-format.ts'
import { ensureLoop } from '../../src/clouds/local/volume-loop.ts'
import { localHost } from '../../src/hosts/local.ts'

const sizeBytes = 64 * 1024 ** 2
const possible = process.getuid?.() === 0 && existsSync('/dev/loop-control')
const host = localHost()

describe.skipIf(!possible)('a volume on a real device', () => {
  let folder: string
  let device: BlockDevice
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hf-format-'))
    const file = await open(join(folder, 'volume.img'), 'w')
    await file.truncate(sizeBytes)
    await file.close()
    device = await blockDevice((await ensureLoop(join(folder, 'volume.img'))).path)
  })
  afterEach(async () => {
    await host.run(['losetup', '--detach', device.path])
    await rm(folder, { recursive: true })
  })

  async function put(at: number, bytes: string | Buffer): Promise<void> {
    const file = await open(device.path, 'r+')
    await file.write(Buffer.from(bytes), 0, bytes.length, at)
    await file.sync()
    await file.close()
  }
  const content = async (): Promise<Buffer> => readFile(device.path)
  /** As the agent does it. */
  async function formatted(whole = false): Promise<void> {
    if (!(await hasFileSystem(device))) {
      await beginFormatting(device, 'vol-1', whole)
      await format(device)
    }
    await endFormatting(device, 'vol-1')
  }
  async function namesWhenMounted(): Promise<string> {
    const script = 'mkdir "$2" && mount -t ext4 "$1" "$2" && ls "$2"'
    const { stdout } = await host.run([
      'unshare',
      '--mount',
      'sh',
      '-c',
      script,
      'sh',
      device.path,
      `${folder}/mnt`,
    ])
    return stdout.trim()
  }

  test('a blank one is formatted once, and can be mounted', async () => {
    expect(await hasFileSystem(device)).toBe(false)
    await formatted(true)
    expect(await hasFileSystem(device)).toBe(true)
    const before = await content()
    await formatted()

    expect((await content()).equals(before)).toBe(true)
    expect(before.includes('holdfast is formatting')).toBe(false)
    expect(await namesWhenMounted()).toBe('lost+found')
  })

  test('one whose formatting was cut off is formatted again', async () => {
    await beginFormatting(device, 'vol-1', true)
    await format(device)
    // What mkfs.ext4 writes last is missing, all else is there.
    await put(1024, Buffer.alloc(1024))

    expect(await hasFileSystem(device)).toBe(false)
    await formatted(true)

    expect(await namesWhenMounted()).toBe('lost+found')
  })

  test('one whose agent was killed right behind the formatting is used as it is', async () => {
    await beginFormatting(device, 'vol-1', true)
    await format(device)
    const before = await content()

    expect(await hasFileSystem(device)).toBe(true)
    await formatted()

    const after = await content()
    expect(after.includes('holdfast is formatting')).toBe(false)
    expect(after.subarray(0, -65536).equals(before.subarray(0, -65536))).toBe(true)
  })

  test('one that lost its superblock is not formatted: it may hold data', async () => {
    await formatted()
    await put(1024, Buffer.alloc(1024))
    const before = await content()

    expect(await hasFileSystem(device)).toBe(false)
    await expect(formatted()).rejects.toMatchObject({ code: 'volume-foreign' })

    expect((await content()).equals(before)).toBe(true)
  })

  test('another volume’s mark proves nothing', async () => {
    await beginFormatting(device, 'vol-2', true)

    await expect(formatted(true)).rejects.toMatchObject({ code: 'volume-foreign' })
  })

  test('data far behind the beginning is seen where the volume is a recorded one', async () => {
    await put(sizeBytes / 2, 'data')

    await expect(formatted(true)).rejects.toMatchObject({ code: 'volume-foreign' })
  })

  test.each([
    ['several signatures', 32_768, '\u0001CD001\u0001', 'volume-unreadable', /ambivalent/],
    ['an encrypted volume', 0, Buffer.from('LUKS\xba\xbe\0\x01', 'latin1'), 'volume-foreign', /crypto_LUKS/],
    ['a partition table', 510, Buffer.from([0x55, 0xaa]), 'volume-foreign', /dos/],
  ])('%s: refused, and left as it is', async (what, at, bytes, code, message) => {
    if (what === 'several signatures') await formatted()
    if (what === 'a partition table') await put(446, Buffer.from('000000008300000000080000000001', 'hex'))
    await put(at, bytes)
    const before = await content()

    await expect(hasFileSystem(device)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    })

    expect((await content()).equals(before)).toBe(true)
  })
})
