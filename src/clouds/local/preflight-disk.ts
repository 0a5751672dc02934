import type { Problem } from '../../errors.ts'
import { andList } from '../../spec/nearest.ts'
import { gib, hostError, hostWarning, size } from './host-problem.ts'
import type { Wanted } from './preflight-rules.ts'

/** A folder that is going to be filled. Sizes are in bytes. */
export interface FolderFacts {
  path: string
  what: 'home' | 'cache' | 'go-build' | 'go-modules'
  /** Number of the file system: folders of the same one share what is free. */
  device: number | undefined
  free: number | undefined
  writable: boolean
}

/** The words that start a machine cannot hold paths with these. */
export const unusableInPaths = /[,:\\]/

/** What each takes, in bytes; Go's two were measured with all modules in them. */
const needs = { home: 1 * gib, cache: 3 * gib, 'go-build': 6 * gib, 'go-modules': 3 * gib } as const

const settings = {
  home: 'HOLDFAST_HOME',
  cache: 'HOLDFAST_CACHE',
  'go-build': 'GOCACHE',
  'go-modules': 'GOMODCACHE',
} as const

const fillers = {
  home: 'the machines',
  cache: 'the assets',
  'go-build': "Go's compiled packages",
  'go-modules': "Go's modules",
} as const

/** What is wrong with the folders that a cluster fills, those of one file system added up. Pure. */
export function diskProblems(folders: readonly FolderFacts[], wanted: Wanted): Problem[] {
  const used = folders.filter(({ what }) => wanted.build || !isOfGo(what))
  const shared = Map.groupBy(
    used.filter(({ writable }) => writable),
    ({ device, path }) => device ?? path,
  )
  return [
    ...used
      .filter(({ what, path }) => !isOfGo(what) && unusableInPaths.test(path))
      .map(({ what, path }) =>
        hostError(
          `host.disk.${what}`,
          `${path} has a comma, colon or backslash in it`,
          `Set ${settings[what]} to a folder without them.`,
        ),
      ),
    ...used
      .filter(({ writable }) => !writable)
      .map(({ what, path }) =>
        hostError(
          `host.disk.${what}`,
          `${path} cannot be written to`,
          `${settings[what]} names another place.`,
        ),
      ),
    ...[...shared.values()].flatMap((together) => roomProblems(together, wanted)),
  ]
}

const isOfGo = (what: FolderFacts['what']): boolean => what.startsWith('go-')

function roomProblems(together: readonly FolderFacts[], wanted: Wanted): Problem[] {
  const { fetch, build, machines, running, volumesGib } = wanted
  const isFilled = { home: machines > running, cache: fetch, 'go-build': build, 'go-modules': build }
  const filled = together.filter(({ what }) => isFilled[what])
  const needed = filled.reduce((sum, { what }) => sum + needs[what], 0)
  const free = Math.min(...together.map((folder) => folder.free ?? Number.POSITIVE_INFINITY))
  if (free < needed) return [tooSmall(filled, needed, free)]
  const home = together.find(({ what }) => what === 'home')
  if (!home || free - needed >= volumesGib * gib) return []
  const message = `The volumes may grow to ${volumesGib} GiB, ${size(free - needed)} is left for them at ${home.path}`
  return [hostWarning('host.disk.home', message, 'A full disk stops etcd: make room there in time.')]
}

/** Names every folder that takes of the same disk. */
function tooSmall(filled: readonly FolderFacts[], needed: number, free: number): Problem {
  const [first, ...others] = filled
  const names = andList(filled.map(({ what }) => settings[what]))
  if (first && others.length === 0) {
    const { what, path } = first
    const message = `${fillers[what]} need ${size(needed)} of disk, ${size(free)} is free at ${path}`
    return hostError(`host.disk.${what}`, message, `Make room there; ${names} names another place.`)
  }
  const parts = filled.map(({ what, path }) => `${fillers[what]} (${size(needs[what])} at ${path})`)
  const message = `${andList(parts)} need ${size(needed)} of one disk, ${size(free)} is free`
  return hostError('host.disk', message, `Make room there; ${names} name other places.`)
}
