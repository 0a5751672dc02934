import { constants } from 'node:fs'
import { open, readdir, realpath } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { isErrno } from '../../errors.ts'
import { localHost } from '../../hosts/local.ts'
import { readIfThere, waitFor } from './process.ts'

/** A loop device as the kernel shows it in /sys/block. */
export interface LoopDevice {
  /** /dev/loopN */
  path: string
  major: number
  minor: number
  file: string
}

export async function loopDevices(): Promise<LoopDevice[]> {
  const devices: LoopDevice[] = []
  for (const name of await readdir('/sys/block').catch(() => [])) {
    if (!name.startsWith('loop')) continue
    const file = await readIfThere(`/sys/block/${name}/loop/backing_file`).catch(() => '')
    const number = await readIfThere(`/sys/block/${name}/dev`).catch(() => '')
    if (file === '' || number === '') continue
    const [major = 0, minor = 0] = number.trim().split(':').map(Number)
    // The kernel appends this when the file was removed under it.
    devices.push({
      path: `/dev/${name}`,
      major,
      minor,
      file: file.replace(/\n$/, '').replace(/ \(deleted\)$/, ''),
    })
  }
  return devices
}

/** The loop device of a file, found by the file: numbers change, files do not. */
export async function loopOf(file: string): Promise<LoopDevice | undefined> {
  // The kernel goes on naming a file that was removed under its device.
  const real = await realpath(file).catch(async () =>
    join(await realpath(dirname(file)).catch(() => dirname(file)), basename(file)),
  )
  return (await loopDevices()).find((device) => device.file === real)
}

/** One loop device a file: where there is one already it is returned. */
export async function ensureLoop(file: string): Promise<LoopDevice> {
  const present = await loopOf(file)
  if (present) return present
  await localHost().run(['losetup', '--find', '--nooverlap', '--', file])
  // udev and other programs may hold the devices' lock for a moment.
  const made = await waitFor(() => loopOf(file), 3_000)
  if (!made) throw new Error(`losetup made no loop device for ${file}`)
  return made
}

/**
 * Is nobody using the device? The kernel refuses a second exclusive opener, and a mounted file
 * system is one, in whatever mount namespace it is.
 */
export async function isFree(device: Pick<LoopDevice, 'path'>): Promise<boolean> {
  try {
    const file = await open(device.path, constants.O_RDONLY | constants.O_EXCL)
    await file.close()
    return true
  } catch (error) {
    if (isErrno(error, 'EBUSY')) return false
    throw error
  }
}

/** Lets the device go and waits until the kernel has. Returns false when it has not after `timeoutMs`. */
export async function freeLoop(file: string, timeoutMs: number): Promise<boolean> {
  const done = await waitFor(async () => {
    const device = await loopOf(file)
    if (!device) return true
    // Never detached while mounted: the kernel would only mark it, and free it behind our back.
    if (await isFree(device))
      await localHost()
        .run(['losetup', '--detach', device.path])
        .catch(() => {})
    return (await loopOf(file)) === undefined
  }, timeoutMs)
  return done ?? false
}
