import { type FileHandle, open } from 'node:fs/promises'
import { HoldfastError, messageOf } from '../errors.ts'
import { HostCommandError } from '../hosts/host.ts'
import { command } from './command.ts'

const lookBytes = 1024 * 1024
/** Bytes at a device's end that the file system leaves out. mkfs.ext4 clears the beginning, but not these. */
const markBytes = 64 * 1024
const nothingFound = 2

/** A block device and its size, which only the kernel knows. */
export interface BlockDevice {
  path: string
  sizeBytes: number
}

export async function blockDevice(path: string): Promise<BlockDevice> {
  return { path, sizeBytes: Number(await command('blockdev', ['--getsize64', path])) }
}

/**
 * Whether our kind of file system is on the device. mkfs.ext4 writes what it is known by last, so it is whole.
 * @throws HoldfastError `volume-foreign` for anything else that is known, `volume-unreadable` when that cannot
 * be told: only a look that found nothing says that there is nothing.
 */
export async function hasFileSystem({ path }: BlockDevice): Promise<boolean> {
  try {
    const args = ['-p', '-o', 'value', '-s', 'TYPE', '-s', 'PTTYPE', path]
    const found = (await command('blkid', args)).trim().split('\n').join(', ')
    if (found === 'ext4') return true
    throw new HoldfastError('volume-foreign', `${path} holds ${found || 'something'} that is not ours`)
  } catch (error) {
    if (!(error instanceof HostCommandError)) throw error
    if (error.exitStatus === nothingFound) return false
    throw new HoldfastError(
      'volume-unreadable',
      `what is on ${path} cannot be told, so it is not touched: ${messageOf(error)}`,
      { cause: error, remedy: 'Look at the device with `wipefs --no-act` and at the kernel’s log.' },
    )
  }
}

/**
 * Proves that nothing on the device can be anybody's, and marks it: what a formatting that is cut off leaves
 * behind is no file system and not blank either. With `whole` all of it has to be zero, else the first MiB.
 * @throws HoldfastError `volume-foreign`
 */
export async function beginFormatting(device: BlockDevice, volumeId: string, whole: boolean): Promise<void> {
  if (await isMarked(device, volumeId)) return
  await assertBlank(device, whole ? Number.POSITIVE_INFINITY : lookBytes)
  await write(device, markOf(volumeId))
}

/** Only after `beginFormatting`. */
export async function format(device: BlockDevice): Promise<void> {
  const options = ['-q', '-m', '0', '-E', 'nodiscard,lazy_itable_init=1,lazy_journal_init=1']
  await command('mkfs.ext4', [...options, device.path, `${Math.floor(markAt(device) / 1024)}k`])
}

/** Takes the mark away. Before each mount: from then on somebody's data may be there. */
export async function endFormatting(device: BlockDevice, volumeId: string): Promise<void> {
  if (await isMarked(device, volumeId)) await write(device, Buffer.alloc(markOf(volumeId).length))
}

const markOf = (volumeId: string): Buffer => Buffer.from(`holdfast is formatting ${volumeId}\n`)

const markAt = ({ sizeBytes }: BlockDevice): number => sizeBytes - markBytes

async function isMarked(device: BlockDevice, volumeId: string): Promise<boolean> {
  const mark = markOf(volumeId)
  const found = Buffer.alloc(mark.length)
  await withDevice(device, 'r', (file) => file.read(found, 0, found.length, markAt(device)))
  return found.equals(mark)
}

async function write(device: BlockDevice, mark: Buffer): Promise<void> {
  await withDevice(device, 'r+', async (file) => {
    await file.write(mark, 0, mark.length, markAt(device))
    await file.sync()
  })
}

async function withDevice<T>(
  { path }: BlockDevice,
  flags: 'r' | 'r+',
  action: (file: FileHandle) => Promise<T>,
): Promise<T> {
  const file = await open(path, flags)
  try {
    return await action(file)
  } finally {
    await file.close()
  }
}

async function assertBlank(device: BlockDevice, bytes: number): Promise<void> {
  const buffer = Buffer.alloc(lookBytes)
  const zeros = Buffer.alloc(lookBytes)
  await withDevice(device, 'r', async (file) => {
    for (let at = 0; at < bytes; at += lookBytes) {
      const { bytesRead } = await file.read(buffer, 0, lookBytes, at)
      if (bytesRead === 0) return
      if (buffer.compare(zeros, 0, bytesRead, 0, bytesRead) !== 0) {
        throw new HoldfastError(
          'volume-foreign',
          `${device.path} is not empty and holds no file system: it is not touched`,
        )
      }
    }
  })
}
