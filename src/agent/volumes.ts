import { mkdir, open, readdir, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Volume } from '../clouds/cloud.ts'
import { HoldfastError, messageOf } from '../errors.ts'
import type { Disk } from '../quorum/member.ts'
import type { MemberRecord, Stamp } from '../quorum/records.ts'
import type { EtcdName } from '../spec/types.ts'
import { command } from './command.ts'
import { type AgentContext, folders } from './context.ts'
import { readIfThere, syncFolder, writeDurably } from './files.ts'

export const mountPoint = (etcd: EtcdName): string => join(folders.volumes, etcd)
const stampFile = (etcd: EtcdName): string => join(mountPoint(etcd), 'holdfast.json')

/** `MOUNT/CLUSTERID-MEMBERID`: data of two memberships can never be mixed up. */
export const dataDir = (etcd: EtcdName, stamp: Pick<Stamp, 'clusterId' | 'memberId'>): string =>
  join(mountPoint(etcd), `${stamp.clusterId}-${stamp.memberId}`)

/**
 * Attaches and mounts the seat's volume for one etcd cluster; asks for a new one where the cloud has none.
 * Returns the volume's id once the mount is proven, or why it has to wait.
 */
export async function mountVolume(
  context: AgentContext,
  seat: string,
  etcd: EtcdName,
  record: MemberRecord,
): Promise<{ volumeId: string } | { waiting: string }> {
  const mounted = await mountedDevice(mountPoint(etcd))
  if (mounted) return { volumeId: mounted.replace('/dev/holdfast-', '') }
  let volume: Volume
  try {
    volume = await chooseVolume(context, seat, etcd, record)
    const { device } = await context.surroundings.attach(volume.id)
    if (!(await hasFileSystem(device))) {
      if (record.volumeId === volume.id && record.state !== 'unused') {
        return replaceBlank(context, seat, etcd, volume.id)
      }
      await command('mkfs.ext4', ['-q', '-m', '0', '-E', 'lazy_itable_init=1,lazy_journal_init=1', device])
    }
    await mkdir(mountPoint(etcd), { recursive: true, mode: 0o700 })
    await command('mount', ['-t', 'ext4', '-o', 'noatime', device, mountPoint(etcd)])
  } catch (error) {
    return { waiting: `volume for etcd ${etcd}: ${messageOf(error)}` }
  }
  return { volumeId: volume.id }
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

/** A volume that held data and is blank now may still be wanted by somebody: it is left as it is. */
async function replaceBlank(
  context: AgentContext,
  seat: string,
  etcd: EtcdName,
  blank: string,
): Promise<{ waiting: string }> {
  const others = (await context.surroundings.volumes(seat)).filter(
    (one) => one.etcd === etcd && one.id !== blank,
  )
  if (others.length > 0) return { waiting: `volume ${blank} held etcd ${etcd} and is blank now` }
  const fresh = await context.surroundings.createVolume(seat, etcd)
  return { waiting: `volume ${blank} held etcd ${etcd} and is blank now: using the new ${fresh.id} instead` }
}

/** What is mounted there, from the kernel; undefined when nothing is. */
export async function mountedDevice(path: string): Promise<string | undefined> {
  const mounts = (await readIfThere('/proc/self/mounts')) ?? ''
  const line = mounts.split('\n').findLast((entry) => entry.split(' ')[1] === path)
  return line?.split(' ')[0]
}

/** Whether anything at all is on the device: a file system's signature, or a first MiB that is not zero. */
async function hasFileSystem(device: string): Promise<boolean> {
  const signature = await command('blkid', ['-p', '-o', 'value', '-s', 'TYPE', device]).catch(() => '')
  if (signature.trim() === 'ext4') return true
  if (signature.trim() !== '') {
    throw new HoldfastError(
      'volume-foreign',
      `${device} holds a ${signature.trim()} file system that is not ours`,
    )
  }
  const file = await open(device, 'r')
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(1024 * 1024), 0, 1024 * 1024, 0)
    if (buffer.subarray(0, bytesRead).some((byte) => byte !== 0)) {
      throw new HoldfastError(
        'volume-foreign',
        `${device} is not empty and holds no file system: it is not touched`,
      )
    }
  } finally {
    await file.close()
  }
  return false
}

/** What is on a mounted, proven volume. */
export async function lookAtDisk(etcd: EtcdName, volumeId: string): Promise<Disk> {
  const text = await readIfThere(stampFile(etcd))
  if (text === undefined) {
    const strangers = (await readdir(mountPoint(etcd))).filter((name) => !isOurs(name))
    if (strangers.length > 0) {
      return {
        kind: 'not-proven',
        reason: `volume ${volumeId} has no stamp but holds ${strangers.slice(0, 3).join(', ')}`,
      }
    }
    return { kind: 'empty', volumeId }
  }
  const stamp = JSON.parse(text) as Stamp
  const wal = await stat(join(dataDir(etcd, stamp), 'member', 'wal')).catch(() => undefined)
  const walFiles = wal ? await readdir(join(dataDir(etcd, stamp), 'member', 'wal')) : []
  const data = walFiles.some((name) => name.endsWith('.wal')) ? 'present' : 'none'
  return { kind: 'stamped', volumeId, stamp, data }
}

const isOurs = (name: string): boolean =>
  name === 'lost+found' || name.startsWith('set-aside-') || name.endsWith('.new')

/** Says on the disk what it is, and makes the folder for the data; synced before etcd may start. */
export async function stampDisk(etcd: EtcdName, stamp: Stamp): Promise<void> {
  await mkdir(dataDir(etcd, stamp), { recursive: true, mode: 0o700 })
  await writeDurably(stampFile(etcd), `${JSON.stringify(stamp, null, 2)}\n`)
}

/** Nothing is deleted: data that is no longer this member's goes to a folder of its own. */
export async function setAside(etcd: EtcdName, stamp: Stamp): Promise<string> {
  const target = join(mountPoint(etcd), `set-aside-${stamp.memberId}-${Date.now()}`)
  await mkdir(target, { mode: 0o700 })
  for (const name of await readdir(mountPoint(etcd))) {
    if (!isOurs(name)) await rename(join(mountPoint(etcd), name), join(target, name))
  }
  await syncFolder(mountPoint(etcd))
  return target
}
