import { installGo } from '../../assets/remedies.ts'
import { leastGo } from '../../constants.ts'
import type { Problem } from '../../errors.ts'
import { type Declaration, ETCD_NAMES } from '../../spec/types.ts'
import type { Inventory } from '../cloud.ts'
import { hostError as error, gib, size, hostWarning as warning } from './host-problem.ts'
import { diskProblems, type FolderFacts } from './preflight-disk.ts'

/** What was found out about this host. Sizes are in bytes; undefined where it could not be found out. */
export interface HostFacts {
  root: boolean
  /** Called through sudo, which may hide what is on the caller's path. */
  sudo: boolean
  /** ID and VERSION_ID of /etc/os-release. */
  distribution: { id: string; like: string[]; version: string }
  /** As Node names it. */
  architecture: string
  memory: { total: number; available: number }
  disk: FolderFacts[]
  /** Programs that are missing, with the package that brings each. */
  missingTools: { tool: string; package: string; reason: string }[]
  /** Can packages be installed by us? */
  hasApt: boolean
  /** GOVERSION without any switching, and GOTOOLCHAIN. */
  go: { version: string; toolchain: string } | undefined
  cgroup: { version: 1 | 2 | undefined; controllers: string[] }
  loopControl: boolean
  fuse: boolean
  overlay: { works: boolean; reason?: string }
  links: { kind: 'bridge' | 'veth' | 'vxlan'; works: boolean; reason?: string }[]
  inotify: { instances: number; writable: boolean }
}

export interface Wanted {
  machines: number
  /** How many of them run already, and have their memory. */
  running: number
  /** Sum of the sizes of volumes yet to be made; they are sparse, so this may be more than is free. */
  volumesGib: number
  /** Is anything that machines are made from missing in the cache? */
  fetch: boolean
  /** Must Go build any of it? */
  build: boolean
}

/** Three masters took 2 GB in all. */
export const memoryOfMachine = 0.75 * gib
const controllersOfV1 = ['cpu', 'cpuacct', 'cpuset', 'memory', 'pids', 'devices', 'freezer', 'blkio']
const controllersOfV2 = ['cpu', 'cpuset', 'memory', 'pids']

/** What a declaration takes of this host, beside what is there of it. Pure. */
export function wantedBy(
  { cluster, groups }: Declaration,
  { machines, volumes }: Inventory,
): Omit<Wanted, 'fetch' | 'build'> {
  const missing = groups
    .filter(({ spec }) => spec.role === 'master' && spec.size > 0)
    .flatMap(({ spec }) => ETCD_NAMES.map((etcd) => ({ seat: spec.seat, etcd })))
    .filter(({ seat, etcd }) => !volumes.some((volume) => volume.seat === seat && volume.etcd === etcd))
  return {
    machines: groups.reduce((sum, { spec }) => sum + spec.size, 0),
    running: machines.filter(({ state }) => state !== 'stopped').length,
    volumesGib: missing.reduce((sum, { etcd }) => sum + cluster.spec.etcd[etcd].volumeSizeGib, 0),
  }
}

/** Everything that would keep the local cloud from working on this host, in one list. Pure. */
export function preflightProblems(facts: HostFacts, wanted: Wanted): Problem[] {
  return [
    ...systemProblems(facts),
    ...memoryProblems(facts, wanted),
    ...diskProblems(facts.disk, wanted),
    ...toolProblems(facts, wanted),
    ...kernelProblems(facts),
  ]
}

function systemProblems({ root, distribution, architecture }: HostFacts): Problem[] {
  const problems: Problem[] = []
  if (!root) {
    problems.push(
      error(
        'host.user',
        'The local cloud makes machines and networks, which takes root',
        'Run it with sudo.',
      ),
    )
  }
  if (!['x64', 'arm64'].includes(architecture)) {
    problems.push(
      error('host.architecture', `The processor is ${architecture}; amd64 and arm64 are supported`),
    )
  }
  if (!['debian', 'ubuntu'].some((id) => distribution.id === id || distribution.like.includes(id))) {
    problems.push(
      warning(
        'host.distribution',
        `${distribution.id || 'This distribution'} has not been tried; Debian and Ubuntu are known to work`,
      ),
    )
  }
  return problems
}

function memoryProblems({ memory }: HostFacts, { machines, running }: Wanted): Problem[] {
  const needed = machines * memoryOfMachine
  if (memory.total < needed) {
    const message = `${machines} machines need ${size(needed)} of memory, this host has ${size(memory.total)}`
    return [error('host.memory', message, 'Use --masters 1 or fewer workers.')]
  }
  const started = Math.max(0, machines - running)
  if (memory.available >= started * memoryOfMachine) return []
  const message = `${started}${running > 0 ? ' more' : ''} machines need ${size(started * memoryOfMachine)} of memory, ${size(memory.available)} is available now`
  return [warning('host.memory', message, 'End other programs, or use fewer machines.')]
}

function toolProblems({ missingTools, hasApt, go, sudo }: HostFacts, { build }: Wanted): Problem[] {
  const problems: Problem[] = []
  if (missingTools.length > 0 && !hasApt) {
    for (const { tool, package: name, reason } of missingTools) {
      problems.push(
        error('host.tools', `${tool} is missing (it ${reason})`, `Install what Debian calls ${name}.`),
      )
    }
  }
  const trouble = build ? goTrouble(go) : undefined
  if (trouble) {
    const message = `${trouble}, and no official release can be reached: Kubernetes would be built from source`
    problems.push(error('host.go', message, installGo(sudo)))
  }
  return problems
}

/**
 * Since 1.21 an older Go downloads the one that a module asks for, as it downloads the module's
 * sources, unless GOTOOLCHAIN keeps it from that (https://go.dev/doc/toolchain). Debian's does.
 */
function goTrouble(go: HostFacts['go']): string | undefined {
  if (!go) return 'Go is missing'
  const found = minorOf(go.version)
  const downloads = go.toolchain === 'auto' || go.toolchain.endsWith('+auto')
  // A version that is no number is one of somebody's own making, who knows better.
  if (found === undefined || found >= (minorOf(leastGo) ?? 0) || (found >= 21 && downloads)) return undefined
  const kept = found >= 21 ? ` and GOTOOLCHAIN=${go.toolchain} keeps it from downloading a newer one` : ''
  return `${go.version} is older than ${leastGo}${kept}`
}

const minorOf = (version: string): number | undefined => {
  const minor = /^(?:go)?1\.(\d+)/.exec(version)?.[1]
  return minor === undefined ? undefined : Number(minor)
}

function kernelProblems(facts: HostFacts): Problem[] {
  const problems: Problem[] = []
  const { version, controllers } = facts.cgroup
  if (version === undefined) {
    problems.push(
      error('host.cgroup', 'No control groups are mounted at /sys/fs/cgroup', 'Mount cgroup2 there.'),
    )
  } else {
    const needed = version === 2 ? controllersOfV2 : controllersOfV1
    const missing = needed.filter((name) => !controllers.includes(name))
    if (missing.length > 0) {
      const message = `The control group controllers ${missing.join(', ')} are missing (version ${version})`
      problems.push(error('host.cgroup', message, 'Enable them on the kernel’s command line.'))
    }
  }
  if (!facts.loopControl) {
    problems.push(
      error('host.loop', '/dev/loop-control is missing: volumes are loop devices', 'Try: modprobe loop.'),
    )
  }
  if (!facts.fuse) {
    problems.push(warning('host.fuse', '/dev/fuse is missing: pods that use FUSE will not work'))
  }
  // Not root: these could not be tried, and that problem is told above.
  if (!facts.root) return problems
  if (!facts.overlay.works) {
    const message = `An overlay file system cannot be mounted in the home${because(facts.overlay.reason)}`
    problems.push(error('host.overlay', message, 'Set HOLDFAST_HOME to a folder on ext4, xfs or btrfs.'))
  }
  for (const { kind, works, reason } of facts.links) {
    if (works) continue
    const message = `The kernel makes no ${kind} devices${because(reason)}`
    problems.push(error(`host.network.${kind}`, message, `Try: modprobe ${kind}.`))
  }
  if (facts.inotify.instances < 1_024 && !facts.inotify.writable) {
    const message = `fs.inotify.max_user_instances is ${facts.inotify.instances} and cannot be raised here`
    problems.push(error('host.inotify', message, 'Raise it to 8192 on the outer host.'))
  }
  return problems
}

const because = (reason: string | undefined) => (reason ? `: ${reason}` : '')
