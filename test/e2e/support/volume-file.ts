import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Stamp } from '../../../src/quorum/records.ts'
import { base, clusterName, homeFolder } from './place.ts'

export const imageOf = (volumeId: string): string =>
  join(homeFolder, 'local', 'clusters', clusterName, 'volumes', `${volumeId}.img`)

/**
 * Changes what a volume says it is, on this host, while no machine has it. Through the loop device that is
 * there already: two devices on one file would each have a cache of their own.
 */
export function changeStamp(volumeId: string, change: (stamp: Stamp) => Stamp): Stamp {
  const folder = mkdtempSync(join(base, 'mount-'))
  const image = imageOf(volumeId)
  const present = run('losetup', '--noheadings', '--output', 'NAME', '--associated', image).trim()
  const device = present || run('losetup', '--find', '--show', image).trim()
  run('mount', device, folder)
  try {
    const file = join(folder, 'holdfast.json')
    const before = JSON.parse(readFileSync(file, 'utf8')) as Stamp
    writeFileSync(file, JSON.stringify(change(before)))
    return before
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
