import { setTimeout as sleep } from 'node:timers/promises'
import { runCommand } from '../src/assets/command.ts'

const restMs = 3_000

/** What the run before still has to write would make the first syncs of the next one wait. */
export async function quietDisk(): Promise<void> {
  await runCommand('sync', [], { timeoutMs: 120_000 })
  await sleep(restMs)
}
