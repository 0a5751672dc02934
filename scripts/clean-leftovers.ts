/**
 * Cleans up what killed test runs left behind, and nothing else: only homes that tests made
 * (`/tmp/holdfast-test-PID-…`, see test/cli/support.ts, and `/tmp/holdfast-e2e`, see
 * test/e2e/support/place.ts) whose process has ended. What such a home made on this host is found by
 * its folder and by its own `hf-…` prefix.
 */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { resolveHome } from '../src/home.ts'
import { removeLeftovers } from './leftovers.ts'

/** The process that made the folder: its number is in the name, or in a file `owner`. */
function ownerOf(name: string): string | undefined {
  if (name !== 'holdfast-e2e') return /^holdfast-test-(\d+)-/.exec(name)?.[1]
  try {
    return readFileSync(join(tmpdir(), name, 'owner'), 'utf8').trim()
  } catch {
    return '0'
  }
}

for (const name of readdirSync(tmpdir())) {
  const owner = ownerOf(name)
  if (!owner || existsSync(`/proc/${owner}`)) continue
  const base = join(tmpdir(), name)
  const homes = [base, join(base, 'home')].filter((path) => existsSync(path))
  console.log(`cleaning up after the test run of process ${owner}: ${base}`)
  for (const path of homes) {
    const { prefix } = resolveHome({ HOLDFAST_HOME: path })
    await removeLeftovers({ base, prefix }, console.log)
  }
  rmSync(base, { recursive: true, force: true })
}
