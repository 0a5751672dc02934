import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { base } from './place.ts'

/** Longer than any sync that etcd should ever meet. */
const stallMs = 300

/** How long one request of a drill's client lasts at most. */
const requestMs = 1_000

/** An etcd that had lost its leader was back after 2.1 s at most, in a hundred kills. */
const electionMs = 2_100

/** A sync that waited too long: when it was asked for and when it was done, in milliseconds since the epoch. */
interface DiskStall {
  fromMs: number
  toMs: number
}

/** Whether a request sent then was under way in a stall, or in the election that may have followed it. */
export const isNearStall = (sentMs: number, stalls: readonly DiskStall[]): boolean =>
  stalls.some(({ fromMs, toMs }) => sentMs + requestMs >= fromMs && sentMs <= toMs + electionMs)

/**
 * All machines share this host's disk, and other things use it too: syncs a few bytes ten times a second.
 * @returns a function that ends it and tells when the disk let such a sync wait too long.
 */
export async function watchDisk(): Promise<() => Promise<DiskStall[]>> {
  const path = join(base, 'disk-watch')
  const file = await open(path, 'w')
  const few = Buffer.alloc(4096)
  const stalls: DiskStall[] = []
  let ended = false
  const watching = (async () => {
    while (!ended) {
      const fromMs = Date.now()
      await file.write(few, 0, few.length, 0)
      await file.datasync()
      const toMs = Date.now()
      if (toMs - fromMs > stallMs) stalls.push({ fromMs, toMs })
      await sleep(100)
    }
  })()
  return async () => {
    ended = true
    await watching
    await file.close()
    await rm(path)
    return stalls
  }
}
