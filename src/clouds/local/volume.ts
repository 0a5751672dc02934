import type { Stats } from 'node:fs'
import { lstat, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { HoldfastError, isErrno } from '../../errors.ts'
import { syncPath } from '../../folders.ts'
import type { Home } from '../../home.ts'
import { localHost } from '../../hosts/local.ts'
import { findMachines, initPid } from './machine.ts'
import type { LocalMachine, LocalVolume } from './parts.ts'
import { waitFor } from './process.ts'
import { withHostLock } from './process-lock.ts'
import { localPaths } from './records.ts'
import { ensureLoop, freeLoop, isFree, type LoopDevice, loopOf } from './volume-loop.ts'

const gib = 1024 ** 3
/** A killed machine's mounts are cleared by the kernel a moment after its processes. */
const releaseTimeoutMs = 3_000
const nodePrefix = 'holdfast-'
/** Ends the name of data that is to be deleted. */
const condemned = '.deleted'

export const volumeFile = (home: Pick<Home, 'dir'>, volume: Pick<LocalVolume, 'cluster' | 'id'>): string =>
  join(localPaths(home).volumes(volume.cluster), `${volume.id}.img`)

/** Where a machine finds the volume. */
export const volumeDevice = (volumeId: string): string => `/dev/${nodePrefix}${volumeId}`

/** A sparse file of the volume's size, empty; one that is there already is left alone. */
export async function createVolume(home: Pick<Home, 'dir'>, volume: LocalVolume): Promise<void> {
  const path = volumeFile(home, volume)
  if (await lstat(path).catch(() => undefined)) return
  const folder = localPaths(home).volumes(volume.cluster)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  // Under another name first, so that a volume that is there has its whole size.
  const draft = `${path}.new`
  const file = await open(draft, 'w', 0o600)
  try {
    await file.truncate(volume.sizeGib * gib)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(draft, path)
  await syncPath(folder)
}

/** Has the volume its data? Where that cannot be seen it is an error, never a no. */
export async function hasData(
  home: Pick<Home, 'dir'>,
  volume: Pick<LocalVolume, 'cluster' | 'id'>,
): Promise<boolean> {
  return (await statIfThere(volumeFile(home, volume))) !== undefined
}

/**
 * Gives a volume to one machine. Who has it is read from the kernel: the device nodes in the
 * running machines' /dev and their mounts, never from files. Repeating it is no error.
 * @throws HoldfastError `volume-busy` naming who has it, `zone-mismatch`, `volume-missing`,
 *   `machine-not-running`.
 */
export async function attachVolume(
  home: Home,
  volume: LocalVolume,
  machine: LocalMachine,
): Promise<{ device: string }> {
  if (volume.zone !== machine.zone || volume.cluster !== machine.cluster) {
    throw new HoldfastError(
      'zone-mismatch',
      `Volume ${volume.id} is in zone ${volume.zone} of ${volume.cluster}, ${machine.id} in zone ${machine.zone} of ${machine.cluster}`,
      { remedy: 'A volume can be used in its own zone only: start the machine there.' },
    )
  }
  const file = volumeFile(home, volume)
  if (!(await statIfThere(file))) {
    throw new HoldfastError(
      'volume-missing',
      `Volume ${volume.id} has no data on this host: ${file} is not there`,
      {
        remedy: 'Create a new volume for the seat; its member joins again as a learner.',
      },
    )
  }
  return withHostLock(lockName(home, volume), async () => {
    const pid = await initPid(machine)
    if (pid === undefined) throw new HoldfastError('machine-not-running', `${machine.id} is not running`)
    const loop = await ensureLoop(file)
    const holder = (await holdersOf(home, volume.id, loop)).find((found) => found.id !== machine.id)
    if (holder) throw busy(volume, `the machine ${holder.id}`)
    const path = `/proc/${pid}/root${volumeDevice(volume.id)}`
    const there = await lstat(path).catch(() => undefined)
    if (there && isNodeOf(there, loop)) return { device: volumeDevice(volume.id) }
    // No machine has it. What still has it mounted is a dying one's namespace, or the host itself.
    if (!(await waitFor(() => isFree(loop), releaseTimeoutMs)))
      throw busy(volume, `a mount of ${loop.path} on this host`)
    if (there) await rm(path)
    await localHost().run(['mknod', '--mode=0600', path, 'b', String(loop.major), String(loop.minor)])
    return { device: volumeDevice(volume.id) }
  })
}

/** Which machine has which volume, from the kernel. Volume id → machine id. */
export async function attachments(
  home: Home,
  cluster: string,
  machines: readonly LocalMachine[],
): Promise<Map<string, string>> {
  const held = new Map<string, string>()
  for (const machine of machines) {
    const pid = machine.cluster === cluster ? await initPid(machine) : undefined
    if (pid === undefined) continue
    for (const name of await readdir(`/proc/${pid}/root/dev`).catch(() => [])) {
      if (!name.startsWith(nodePrefix)) continue
      const volumeId = name.slice(nodePrefix.length)
      const loop = await loopOf(volumeFile(home, { cluster, id: volumeId }))
      const node = await lstat(`/proc/${pid}/root/dev/${name}`).catch(() => undefined)
      if (loop && node && isNodeOf(node, loop)) held.set(volumeId, machine.id)
    }
  }
  return held
}

/**
 * Takes the volume from a machine that is dead, never by force, and marks the data for deletion in a way
 * that lasts: whoever finds the mark may delete it. Idempotent.
 * @throws HoldfastError `volume-busy` while a machine lives that has it, or it stays mounted.
 */
export async function condemnVolume(home: Home, volume: LocalVolume): Promise<void> {
  await withHostLock(lockName(home, volume), async () => {
    await detach(home, volume)
    const file = volumeFile(home, volume)
    if (!(await statIfThere(file))) return
    await rename(file, `${file}${condemned}`)
    await syncPath(localPaths(home).volumes(volume.cluster))
  })
}

/** Detaches and deletes the data for good. Idempotent. */
export async function deleteVolume(home: Home, volume: LocalVolume): Promise<void> {
  await condemnVolume(home, volume)
  await rm(`${volumeFile(home, volume)}${condemned}`, { force: true })
}

/**
 * Clears what a killed process left among a cluster's volumes: deletions are completed, volumes that
 * were never used go. What belongs to no known volume and may hold data is kept.
 * @returns the files that were kept.
 */
export async function sweepVolumes(
  home: Pick<Home, 'dir'>,
  cluster: string,
  known: ReadonlySet<string>,
): Promise<string[]> {
  const folder = localPaths(home).volumes(cluster)
  const kept: string[] = []
  for (const name of await readdir(folder).catch(() => [])) {
    const [, id = '', mark] = /^(.+)\.img(\.new|\.deleted)?$/.exec(name) ?? []
    if (id === '' || (mark === undefined && known.has(id))) continue
    const file = join(folder, name)
    if (mark === condemned || (await isUnused(file))) await rm(file, { force: true })
    else kept.push(file)
  }
  return kept
}

/** Nothing was ever written to it, and nobody could be about to. */
async function isUnused(file: string): Promise<boolean> {
  return (await stat(file)).blocks === 0 && (await loopOf(file)) === undefined
}

async function statIfThere(file: string): Promise<Stats | undefined> {
  try {
    return await stat(file)
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  }
}

async function detach(home: Home, volume: LocalVolume): Promise<void> {
  const file = volumeFile(home, volume)
  const loop = await loopOf(file)
  if (!loop) return
  const holder = (await holdersOf(home, volume.id, loop))[0]
  if (holder) throw busy(volume, `the machine ${holder.id}`)
  if (!(await freeLoop(file, releaseTimeoutMs))) throw busy(volume, `a mount of ${loop.path} on this host`)
}

/** Running machines of this home, of any cluster, that have the volume's node or have it mounted. */
async function holdersOf(home: Home, volumeId: string, loop: LoopDevice): Promise<{ id: string }[]> {
  const holders: { id: string }[] = []
  for (const found of await findMachines(home)) {
    const pid = await initPid(found)
    if (pid === undefined) continue
    const node = await lstat(`/proc/${pid}/root${volumeDevice(volumeId)}`).catch(() => undefined)
    const mounts = await readFile(`/proc/${pid}/mountinfo`, 'utf8').catch(() => '')
    if ((node && isNodeOf(node, loop)) || mountsDevice(mounts, loop)) holders.push(found)
  }
  return holders
}

/** Does a /proc/PID/mountinfo list the device? Its third field is major:minor. Pure. */
export const mountsDevice = (mountinfo: string, device: Pick<LoopDevice, 'major' | 'minor'>): boolean =>
  mountinfo.split('\n').some((line) => line.split(' ')[2] === `${device.major}:${device.minor}`)

/** Linux' dev_t as stat gives it: minor bits 0-7 and 20-31, major bits 8-19. */
function isNodeOf(stats: Stats, loop: LoopDevice): boolean {
  const major = (stats.rdev >>> 8) & 0xfff
  const minor = (stats.rdev & 0xff) | ((stats.rdev >>> 12) & 0xfff00)
  return stats.isBlockDevice() && major === loop.major && minor === loop.minor
}

const lockName = (home: Pick<Home, 'prefix'>, volume: Pick<LocalVolume, 'id'>) =>
  `${home.prefix}/volume/${volume.id}`

const busy = (volume: LocalVolume, holder: string) =>
  new HoldfastError('volume-busy', `Volume ${volume.id} is in use by ${holder}`, {
    remedy: 'It is free as soon as that machine is dead.',
  })
