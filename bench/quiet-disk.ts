import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

const restMs = 3_000

/** What the run before still has to write would make the first syncs of the next one wait. */
export async function quietDisk(): Promise<void> {
  await promisify(execFile)('sync', { timeout: 120_000 })
  await sleep(restMs)
}
