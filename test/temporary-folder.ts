import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Global setup: tests make their folders in one that goes when they end, however many of them fail. */
export default function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'hf-test-'))
  process.env.TMPDIR = folder
  return () => rmSync(folder, { recursive: true, force: true })
}
