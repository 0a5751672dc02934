import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { groupsOf, type Place, processesOf } from '../../../scripts/leftovers.ts'
import { base, home, homeFolder } from './place.ts'

/** Everything that a cluster could leave behind on this host, one line each. */
export interface HostState {
  mounts: string[]
  loops: string[]
  links: string[]
  routes: string[]
  rules: string[]
  groups: string[]
  processes: string[]
  home: string[]
}

export function hostState(): HostState {
  const place: Place = { base, prefix: home().prefix }
  return {
    mounts: others(
      readFileSync('/proc/self/mounts', 'utf8')
        .split('\n')
        .map((line) => line.split(' ').slice(0, 3).join(' ')),
    ),
    loops: others(run('losetup', '--noheadings', '--list', '--output', 'BACK-FILE')),
    links: others(run('ip', '-o', 'link').map((line) => line.split(':')[1]?.trim().split('@')[0] ?? '')),
    routes: others(['-4', '-6'].flatMap((family) => run('ip', family, 'route', 'show', 'table', 'all'))),
    // Counters change with every packet that anybody sends.
    rules: others([...nftRules(), ...run('iptables', '-S')]),
    groups: groupsOf(place),
    processes: processesOf(place).map(({ words }) => words),
    home: existsSync(homeFolder) ? readdirSync(homeFolder, { recursive: true, encoding: 'utf8' }).sort() : [],
  }
}

function nftRules(): string[] {
  let table = ''
  return run('nft', '--stateless', 'list', 'ruleset').map((line) => {
    if (line.startsWith('table')) table = line
    return `${table} ${line}`
  })
}

/**
 * Without what other homes and other tests on this host do meanwhile: their prefix or their folder is in
 * the line. A line that names neither stays, whoever made it.
 */
function others(lines: readonly string[]): string[] {
  const { prefix } = home()
  return lines
    .filter((line) => line.trim() !== '')
    .filter((line) => {
      const foreign = [...line.matchAll(/hf-[0-9a-f]{6}/g)].some(([found]) => found !== prefix)
      return !foreign && (!line.includes(`${tmpdir()}/`) || line.includes(base))
    })
    .sort()
}

function run(command: string, ...words: string[]): string[] {
  try {
    return execFileSync(command, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split('\n')
  } catch {
    return []
  }
}
