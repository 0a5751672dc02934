import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Stamp } from '../../../src/quorum/records.ts'
import { newestLog, nonsense, overwrite, walFrames } from './etcd-files.ts'
import { base, clusterName, homeFolder } from './place.ts'
import { defined } from './wait.ts'

export const imageOf = (volumeId: string): string =>
  join(homeFolder, 'local', 'clusters', clusterName, 'volumes', `${volumeId}.img`)

/** Changes what a volume says it is, while no machine has it. Returns what it said before. */
export function changeStamp(volumeId: string, change: (stamp: Stamp) => Stamp): Stamp {
  return whileMounted(volumeId, (folder) => {
    const file = join(folder, 'holdfast.json')
    const before = JSON.parse(readFileSync(file, 'utf8')) as Stamp
    writeFileSync(file, JSON.stringify(change(before)))
    return before
  })
}

/** Spoils a record in the middle of the member's newest log, while no machine has the volume. */
export function damageLog(volumeId: string): void {
  whileMounted(volumeId, (folder) => {
    const { clusterId, memberId } = JSON.parse(readFileSync(join(folder, 'holdfast.json'), 'utf8')) as Stamp
    const log = newestLog(join(folder, `${clusterId}-${memberId}`, 'member'))
    const { offsets } = walFrames(readFileSync(log))
    const middle = defined(offsets[Math.floor(offsets.length / 2)], 'record in the log')
    // Behind its length: a length that is none etcd may take for the torn end of its log.
    overwrite(log, middle + 8, nonsense())
  })
}

/**
 * On this host, through the loop device that is there already: two devices on one file would each have a cache
 * of their own.
 */
function whileMounted<T>(volumeId: string, action: (folder: string) => T): T {
  const folder = mkdtempSync(join(base, 'mount-'))
  const image = imageOf(volumeId)
  const present = run('losetup', '--noheadings', '--output', 'NAME', '--associated', image).trim()
  const device = present || run('losetup', '--find', '--show', image).trim()
  run('mount', device, folder)
  try {
    return action(folder)
  } finally {
    run('umount', folder)
    rmdirSync(folder)
    if (!present) run('losetup', '--detach', device)
  }
}

/** Whoever takes a volume's file away must not leave its device behind. */
export function releaseLoop(volumeId: string): void {
  const devices = run('losetup', '--noheadings', '--output', 'NAME', '--associated', imageOf(volumeId))
  for (const device of devices.split('\n').filter(Boolean)) run('losetup', '--detach', device.trim())
}

const run = (command: string, ...words: string[]): string =>
  execFileSync(command, words, { encoding: 'utf8' })
