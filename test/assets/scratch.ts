import { execFileSync } from 'node:child_process'
import { mkdtemp, open, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { onTestFinished } from 'vitest'

/** A folder of the running test, removed when it ends. */
export async function scratch(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'holdfast-assets-test-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return dir
}

/** Changes one byte of a file; its size and its mtime stay, as after a copy that keeps times. */
export async function changeByte(file: string): Promise<void> {
  // The kernel's clock of files goes on every few milliseconds only.
  await sleep(20)
  const { size } = await stat(file)
  const times = join(await scratch(), 'times')
  execFileSync('touch', ['--reference', file, times])
  const handle = await open(file, 'r+')
  const byte = Buffer.alloc(1)
  const at = Math.floor(size / 2)
  await handle.read(byte, 0, 1, at)
  await handle.write(Buffer.from([(byte[0] ?? 0) ^ 0xff]), 0, 1, at)
  await handle.close()
  // Node's own call rounds to less than the file system keeps.
  execFileSync('touch', ['--reference', times, file])
}
