import { mkdir, readdir, rename, stat, statfs, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import type { Volume } from '../clouds/cloud.ts'
import { HoldfastError, isErrno, messageOf } from '../errors.ts'
import { syncPath } from '../folders.ts'
import type { Disk } from '../quorum/member.ts'
import type { MemberRecord, Stamp } from '../quorum/records.ts'
import type { EtcdName } from '../spec/types.ts'
import { command } from './command.ts'
import { type AgentContext, folders } from './context.ts'
import { readIfThere, writeIfChanged } from './files.ts'
import { beginFormatting, blockDevice, endFormatting, format, hasFileSystem } from './volume-format.ts'

export const mountPoint = (etcd: EtcdName): string => join(folders.volumes, etcd)
export const stampFile = (etcd: EtcdName, mount = mountPoint(etcd)): string => join(mount, 'holdfast.json')
const aside = 'set-aside-'

/** `MOUNT/CLUSTERID-MEMBERID`: data of two memberships can never be mixed up. */
export const dataDir = (
  etcd: EtcdName,
  stamp: Pick<Stamp, 'clusterId' | 'memberId'>,
  mount = mountPoint(etcd),
): string => join(mount, `${stamp.clusterId}-${stamp.memberId}`)

/**
 * Attaches and mounts the seat's volume for one etcd cluster; asks for a new one where the cloud has none.
 * `recordVolume` writes down which volume is about to be formatted. Returns the volume's id once the mount is
 * proven, or why it has to wait.
 */
export async function mountVolume(
  context: AgentContext,
  seat: string,
  etcd: EtcdName,
  record: MemberRecord,
  recordVolume: (volumeId: string) => Promise<unknown>,
): Promise<{ volumeId: string } | { waiting: string }> {
  const mounted = await mountedDevice(mountPoint(etcd))
  if (mounted) return { volumeId: mounted.replace('/dev/holdfast-', '') }
  try {
    const volume = await chooseVolume(context, seat, etcd, record)
    const device = await blockDevice((await context.surroundings.attach(volume.id)).device)
    if (!(await hasFileSystem(device))) {
      const recorded = record.volumeId === volume.id
      // A volume that held data and seems blank may still be wanted by somebody, unless all of it is zero.
      await beginFormatting(device, volume.id, recorded)
      if (!recorded) await recordVolume(volume.id)
      await format(device)
    }
    await endFormatting(device, volume.id)
    await mkdir(mountPoint(etcd), { recursive: true, mode: 0o700 })
    await command('mount', ['-t', 'ext4', '-o', 'noatime', device.path, mountPoint(etcd)])
    return { volumeId: volume.id }
  } catch (error) {
    return { waiting: `volume for etcd ${etcd}: ${messageOf(error)}` }
  }
}

async function chooseVolume(
  context: AgentContext,
  seat: string,
  etcd: EtcdName,
  record: MemberRecord,
): Promise<Volume> {
  const { zone } = context.identity
  const all = (await context.surroundings.volumes(seat)).filter((volume) => volume.etcd === etcd)
  const recorded = all.find((volume) => volume.id === record.volumeId)
  if (recorded) return recorded
  const here = all.filter((volume) => volume.zone === zone)
  if (here.length > 1) {
    throw new HoldfastError(
      'volume-ambiguous',
      `seat ${seat} has ${here.length} volumes for etcd ${etcd} (${here.map(({ id }) => id).join(', ')}) and no record says which`,
      { remedy: 'Delete or relabel the ones that are not wanted.' },
    )
  }
  return here[0] ?? context.surroundings.createVolume(seat, etcd)
}

/** What is mounted there, from the kernel; undefined when nothing is. */
export async function mountedDevice(path: string): Promise<string | undefined> {
  const mounts = (await readIfThere('/proc/self/mounts')) ?? ''
  const line = mounts.split('\n').findLast((entry) => entry.split(' ')[1] === path)
  return line?.split(' ')[0]
}

/** What is on a mounted, proven volume. */
export async function lookAtDisk(etcd: EtcdName, volumeId: string, mount = mountPoint(etcd)): Promise<Disk> {
  const text = await readIfThere(stampFile(etcd, mount))
  if (text === undefined) {
    const strangers = (await readdir(mount)).filter((name) => !isOurs(name))
    if (strangers.length > 0) {
      return {
        kind: 'not-proven',
        reason: `volume ${volumeId} has no stamp but holds ${strangers.slice(0, 3).join(', ')}`,
      }
    }
    return { kind: 'empty', volumeId }
  }
  const stamp = JSON.parse(text) as Stamp
  const member = join(dataDir(etcd, stamp, mount), 'member')
  const walFiles = await filesIn(join(member, 'wal'))
  const data = walFiles.some((name) => name.endsWith('.wal')) ? 'present' : 'none'
  const noRoom = await whyNoRoom(mount, join(member, 'snap', 'db'))
  return { kind: 'stamped', volumeId, stamp, data, ...(noRoom ? { noRoom } : {}) }
}

/**
 * Another copy is about as large as this one. Where nothing was set aside before there is nothing to remove,
 * so that it is tried.
 */
async function whyNoRoom(mount: string, database: string): Promise<string | undefined> {
  const before = (await readdir(mount)).filter((name) => name.startsWith(aside)).sort()
  if (before.length === 0) return undefined
  const { bavail, bsize } = await statfs(mount)
  const { size } = await stat(database).catch(() => ({ size: 0 }))
  if (bavail * bsize >= size) return undefined
  const gib = (bytes: number) => `${(bytes / 1024 ** 3).toFixed(1)} GiB`
  return (
    `${gib(bavail * bsize)} is free and a new copy takes ${gib(size)}: remove what was set aside before and ` +
    `nobody wants (${before.join(', ')} in ${mount} on this machine)`
  )
}

/** Any other failure than a missing folder means that the disk cannot be read, not that it is empty. */
async function filesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return []
    throw error
  }
}

/** What may be there without a stamp. Names that begin with a dot are files that were being written. */
const isOurs = (name: string): boolean =>
  name === 'lost+found' || name.startsWith(aside) || /^\..*\.new$/.test(name)

/** Says on the disk what it is, synced before etcd may start; then makes the folder for the data. */
export async function stampDisk(etcd: EtcdName, stamp: Stamp, mount = mountPoint(etcd)): Promise<void> {
  const file = stampFile(etcd, mount)
  const now = new Date()
  // A full disk takes no new file. Logs that are older than the stamp are of an earlier start (corruption.ts).
  if (!(await writeIfChanged(file, `${JSON.stringify(stamp, null, 2)}\n`))) await utimes(file, now, now)
  await mkdir(dataDir(etcd, stamp, mount), { recursive: true, mode: 0o700 })
  await syncPath(mount)
}

/**
 * Nothing is deleted: data that is no longer this member's goes to a folder of its own, and the stamp
 * last, so that a disk never holds data without saying whose.
 */
export async function setAside(etcd: EtcdName, stamp: Stamp, mount = mountPoint(etcd)): Promise<string> {
  const target = join(mount, `${aside}${stamp.memberId}-${Date.now()}`)
  await mkdir(target, { mode: 0o700 })
  const names = (await readdir(mount)).filter((name) => !isOurs(name))
  const last = 'holdfast.json'
  for (const name of [...names.filter((one) => one !== last), ...names.filter((one) => one === last)]) {
    await rename(join(mount, name), join(target, name))
  }
  await syncPath(mount)
  return target
}
