import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { base } from './place.ts'

/** Longer than any sync that etcd should ever meet. */
const stallMs = 300

/**
 * All machines share this host's disk, and other things use it too: syncs a few bytes ten times a second.
 * @returns a function that ends it and tells for how many seconds the disk let such a sync wait too long.
 */
export async function watchDisk(): Promise<() => Promise<number>> {
  const path = join(base, 'disk-watch')
  const file = await open(path, 'w')
  const few = Buffer.alloc(4096)
  let stalled = 0
  let ended = false
  const watching = (async () => {
    while (!ended) {
      const began = performance.now()
      await file.write(few, 0, few.length, 0)
      await file.datasync()
      const took = performance.now() - began
      if (took > stallMs) stalled += took
      await sleep(100)
    }
  })()
  return async () => {
    ended = true
    await watching
    await file.close()
    await rm(path)
    return stalled / 1000
  }
}
