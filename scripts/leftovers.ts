import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * What one home made on this host, found without the home's own records: by the folder that it lies
 * in and by its `hf-…` prefix, and by nothing else. For test runs that were killed.
 */
export interface Place {
  /** Everything below it is the home's. Absolute, no symbolic link. */
  base: string
  /** `hf-` and six hexadecimal digits. */
  prefix: string
}

export interface FoundProcess {
  pid: number
  words: string
}

const controlGroups = '/sys/fs/cgroup'

/** Every process of the home: by its words, its environment, its root, or its control group. */
export function processesOf({ base, prefix }: Place): FoundProcess[] {
  const spared = new Set(ancestors())
  const named = new RegExp(`(^|[ =])${prefix}-`)
  const grouped = new Set(pidsInGroups(prefix))
  return allProcesses().filter(({ pid, words }) => {
    if (spared.has(pid)) return false
    return (
      grouped.has(pid) ||
      words.includes(`${base}/`) ||
      named.test(words) ||
      // A shell with that home in its environment is somebody's who looks on: only our own programs end.
      (/\/src\/(cli|clouds\/local)\/main\.ts/.test(words) &&
        environmentOf(pid).includes(`HOLDFAST_HOME=${base}/`)) ||
      rootOf(pid).startsWith(`${base}/`)
    )
  })
}

/** Mount points of this host's own mount namespace below the home. */
export const mountsOf = ({ base }: Place): string[] =>
  readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(`${base}/`))

/** Loop devices with a file of the home behind them, deleted ones included. */
export const loopsOf = ({ base }: Place): string[] =>
  lines('losetup', '--noheadings', '--list', '--output', 'NAME,BACK-FILE').flatMap((line) => {
    const [device = '', file = ''] = line.trim().split(/\s+/)
    return file.startsWith(`${base}/`) ? [device] : []
  })

export const linksOf = ({ prefix }: Place): string[] =>
  readdirSync('/sys/class/net').filter((name) => name.startsWith(`${prefix}-`))

/** `FAMILY NAME` of each nft table. */
export const tablesOf = ({ prefix }: Place): string[] =>
  lines('nft', 'list', 'tables').flatMap((line) => {
    const [, family = '', table = ''] = /^table (\S+) (\S+)/.exec(line) ?? []
    return table.startsWith(`${prefix}-`) ? [`${family} ${table}`] : []
  })

/** Folders of control groups, the deepest first. */
export const groupsOf = ({ prefix }: Place): string[] =>
  lines('find', controlGroups, '-depth', '-type', 'd', '-path', `*/${prefix}*`)

/** Ends the home's processes and takes its links, tables, mounts and loop devices away; its files stay. */
export async function removeLeftovers(place: Place, say: (line: string) => void): Promise<void> {
  for (let round = 0; round < 10; round++) {
    const found = processesOf(place)
    if (found.length === 0) break
    for (const { pid, words } of found) {
      say(`ending process ${pid}: ${words.slice(0, 100)}`)
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It has ended by itself.
      }
    }
    await sleep(300)
  }
  for (const path of mountsOf(place).reverse()) lines('umount', '--lazy', path)
  for (const device of loopsOf(place)) lines('losetup', '--detach', device)
  for (const name of linksOf(place)) lines('ip', 'link', 'delete', name)
  for (const table of tablesOf(place)) lines('nft', 'delete', 'table', ...table.split(' '))
  for (const folder of groupsOf(place)) lines('rmdir', folder)
}

/** Standard output's lines; none when the program fails or is not there. */
function lines(command: string, ...words: string[]): string[] {
  try {
    return execFileSync(command, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
      .split('\n')
      .filter((line) => line !== '')
  } catch {
    return []
  }
}

function allProcesses(): FoundProcess[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return []
    try {
      const words = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ')
      // A kernel thread or a zombie has no words; nothing can be done about either.
      return words === '' ? [] : [{ pid: Number(name), words }]
    } catch {
      return []
    }
  })
}

function pidsInGroups(prefix: string): number[] {
  const hierarchies = [controlGroups, ...readdirSync(controlGroups).map((name) => join(controlGroups, name))]
  const tops = hierarchies.map((path) => join(path, prefix)).filter((path) => existsSync(path))
  return tops.flatMap((top) =>
    lines('find', top, '-name', 'cgroup.procs').flatMap((file) => {
      try {
        return readFileSync(file, 'utf8').split('\n').filter(Boolean).map(Number)
      } catch {
        return []
      }
    }),
  )
}

/** This process and those that started it: their words may name the home too. */
function ancestors(): number[] {
  const found: number[] = []
  for (let pid = process.pid; pid > 1; ) {
    found.push(pid)
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    pid = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  }
  return found
}

const environmentOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8')
  } catch {
    return ''
  }
}

/** A balancer lives in a root of its own. */
const rootOf = (pid: number): string => {
  try {
    return readlinkSync(`/proc/${pid}/root`)
  } catch {
    return ''
  }
}
