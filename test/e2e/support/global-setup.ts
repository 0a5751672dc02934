import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { removeLeftovers } from '../../../scripts/leftovers.ts'
import { holdfast } from './holdfast.ts'
import { hostState } from './host-state.ts'
import {
  base,
  clusterName,
  home,
  homeFolder,
  keep,
  kubeconfigBefore,
  kubeconfigFile,
  ownerFile,
  smallName,
  stateFile,
} from './place.ts'
import { readState, writeState } from './state.ts'

/** Cleans up after a run that was killed, and looks at the host before anything is made. */
export async function setup(): Promise<void> {
  if (process.getuid?.() !== 0) throw new Error('the end-to-end tests make machines: run them as root')
  await takeOver()
  if (keep && existsSync(stateFile) && readState().up?.code === 0) return
  await clean()
  mkdirSync(dirname(kubeconfigFile), { recursive: true, mode: 0o700 })
  writeFileSync(ownerFile, String(process.pid))
  writeFileSync(kubeconfigFile, kubeconfigBefore, { mode: 0o600 })
  const before = hostState()
  rmSync(homeFolder, { recursive: true, force: true })
  writeState({ before })
}

/** Whatever the tests left standing goes; that nothing had to go is the last file's matter. */
export async function teardown(): Promise<void> {
  if (keep) return
  for (const name of [smallName, clusterName]) {
    if (existsSync(homeFolder)) await holdfast(['delete', 'cluster', name, '--yes'], 120_000)
  }
  await clean()
}

/** One run at a time on this host: they share the name of their folder. */
async function takeOver(): Promise<void> {
  const owner = existsSync(ownerFile) ? Number(readFileSync(ownerFile, 'utf8')) : 0
  if (owner > 0 && owner !== process.pid && existsSync(`/proc/${owner}`)) {
    throw new Error(`another run of the end-to-end tests is under way: process ${owner}`)
  }
  if (existsSync(base)) writeFileSync(ownerFile, String(process.pid))
}

async function clean(): Promise<void> {
  if (!existsSync(base)) return
  const { prefix } = home()
  await removeLeftovers({ base, prefix }, (line) => console.log(`left by an earlier run: ${line}`))
  rmSync(base, { recursive: true, force: true })
}
