import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { holdfast, type Ran } from './holdfast.ts'
import type { HostState } from './host-state.ts'
import { lastWords } from './last-words.ts'
import { clusterName, stateFile } from './place.ts'

/** What one file of tests leaves for the next. */
export interface State {
  /** The host before anything was made. */
  before: HostState
  /** The first `up`. */
  up?: Ran
}

export const readState = (): State => JSON.parse(readFileSync(stateFile, 'utf8')) as State

export const writeState = (state: State): void => writeFileSync(stateFile, JSON.stringify(state))

export const upWords = [
  'up',
  clusterName,
  '--masters',
  '3',
  '--workers',
  '1',
  '--zones',
  'a,b,c',
  '--wait',
  '5m',
]

/**
 * The one cluster that all files share: brought up by whoever comes first, so that each file can also be
 * run alone. Afterwards it must be well; each file starts from there.
 */
export async function sharedCluster(): Promise<State> {
  if (!existsSync(stateFile)) throw new Error('the global setup did not run')
  const state = readState()
  if (!state.up) {
    const up = await holdfast(upWords, 600_000)
    writeState({ ...state, up })
    if (up.code !== 0) throw new Error(`up ended with ${up.code ?? 'a signal'}:\n${up.err}${up.out}`)
    return { ...state, up }
  }
  await mustBeWell()
  return state
}

/** All of Holdfast's own checks pass, now or soon. */
export async function mustBeWell(cluster = clusterName, wait = '3m'): Promise<void> {
  const ran = await holdfast(['validate', 'cluster', cluster, '--wait', wait])
  if (ran.code === 0) return
  const others = cluster === clusterName ? '' : await lastWords(cluster)
  throw new Error(`${cluster} does not work (${ran.code}):\n${ran.out}${ran.err}${others}`)
}
