import { createHash } from 'node:crypto'
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Io } from '../../src/cli/io.ts'
import { runCli } from '../../src/cli/run.ts'
import { goodHost, noSites } from '../clouds/local-acting/good-host.ts'

export interface Ran {
  code: number
  out: string
  err: string
}

/** A home of its own for each test, and the command line run in-process on it. */
export interface TestCli {
  home: string
  cwd: string
  run(words: readonly string[], changes?: Partial<Io>): Promise<Ran>
  /**
   * Every file of home, cache, working folder and kubeconfig's folder with its content's hash: equal before and after
   * means nothing was changed.
   */
  snapshot(): string[]
  remove(): void
}

export function testCli(): TestCli {
  const base = mkdtempSync(join(tmpdir(), `holdfast-test-${process.pid}-`))
  const home = join(base, 'home')
  return {
    home,
    cwd: base,
    async run(words, changes = {}) {
      let out = ''
      let err = ''
      const io: Io = {
        out: (text) => {
          out += text
        },
        err: (text) => {
          err += text
        },
        terminal: false,
        columns: 100,
        cwd: base,
        uid: 0,
        userHome: () => base,
        attach: async () => 0,
        onInterrupt: () => () => {},
        exit: (code) => {
          throw new Error(`exit ${code}`)
        },
        ...changes,
        probes: {
          hostFacts: async () => goodHost,
          sites: noSites,
          hostRoutes: async () => [],
          agent: async () => ({ path: '/nowhere', sha256: '0'.repeat(64) }),
          ...changes.probes,
        },
        env: { HOLDFAST_HOME: home, HOLDFAST_CACHE: join(base, 'cache'), ...changes.env },
      }
      const code = await runCli(words, io)
      return { code, out, err }
    },
    // All of them are in here. That home and cache are there is no change: nothing can be looked at without.
    snapshot: () => filesBelow(base).filter((line) => line !== 'home' && line !== 'cache'),
    remove: () => rmSync(base, { recursive: true, force: true }),
  }
}

function filesBelow(folder: string): string[] {
  const names = (() => {
    try {
      return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    } catch {
      return []
    }
  })()
  return (
    names
      .sort()
      // The lock of a cluster that is there may be taken and given back; the store's counter is no declaration.
      .filter((name) => {
        const lock = /^(.*)\/locks\/operation\.json$/.exec(name)
        return !name.endsWith('.holdfast/floor') && !(lock && names.includes(`${lock[1]}/cluster.yaml`))
      })
      .map((name) => {
        const path = join(folder, name)
        return lstatSync(path).isFile()
          ? `${name} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`
          : name
      })
  )
}
