import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { HoldfastError } from '../../errors.ts'
import type { Home } from '../../home.ts'
import { enterCgroupScript } from './machine-cgroup.ts'
import type { machineFolders } from './machine-folder.ts'
import type { LocalMachine, MachineAssets } from './parts.ts'
import { unusableInPaths } from './preflight-disk.ts'

/** The name nspawn knows a machine by; at most 64 characters, the limit of a host's name. */
export function machineName(home: Pick<Home, 'prefix'>, id: string): string {
  const name = `${home.prefix}-${id}`
  if (name.length <= 64) return name
  return `${name.slice(0, 55)}-${createHash('sha256').update(id).digest('hex').slice(0, 8)}`
}

/**
 * The overlay is mounted in a mount namespace that belongs to the machine alone: whatever way it
 * dies, the kernel unmounts everything. \`slave\`: what the host unmounts is not kept busy by us.
 */
const overlayScript = `
set -e
mount -t overlay -o "$HOLDFAST_OVERLAY" overlay "$HOLDFAST_ROOT"
unset HOLDFAST_OVERLAY HOLDFAST_ROOT
exec "$@"
`

export interface MachineCommand {
  command: [string, ...string[]]
  env: Record<string, string>
}

type Folders = ReturnType<typeof machineFolders>

/** The words that start a machine. Every step of them is an exec: the process id stays the same. */
export function machineCommand(
  home: Pick<Home, 'prefix'>,
  machine: LocalMachine,
  folders: Folders,
  assets: MachineAssets,
  hostHasSystemd: boolean,
): MachineCommand {
  const nspawn = nspawnWords(machineName(home, machine.id), machine, folders, assets)
  const inNamespace = [
    'unshare',
    '--mount',
    '--propagation',
    'slave',
    '--',
    'sh',
    '-c',
    overlayScript,
    'sh',
    ...nspawn,
  ]
  const group = [
    'sh',
    '-c',
    `${enterCgroupScript}\nexec "$@"`,
    'sh',
    home.prefix,
    machineName(home, machine.id),
  ]
  const [file = '', ...rest] = hostHasSystemd ? inNamespace : [...group, ...inNamespace]
  for (const path of [assets.machineRoot, folders.upper, folders.work]) {
    if (unusableInPaths.test(path)) {
      throw new HoldfastError('path-not-usable', `${path} has a comma, colon or backslash in it`, {
        remedy: 'Set HOLDFAST_HOME and HOLDFAST_CACHE to folders without them.',
      })
    }
  }
  return {
    command: [file, ...rest],
    env: {
      HOLDFAST_OVERLAY: `lowerdir=${assets.machineRoot},upperdir=${folders.upper},workdir=${folders.work}`,
      HOLDFAST_ROOT: folders.root,
    },
  }
}

function nspawnWords(name: string, machine: LocalMachine, folders: Folders, assets: MachineAssets): string[] {
  const optional = (path: string, words: string[]) => (existsSync(path) ? words : [])
  return [
    'systemd-nspawn',
    '--quiet',
    '--boot',
    '--register=no',
    '--keep-unit',
    '--settings=no',
    `--directory=${folders.root}`,
    `--machine=${name}`,
    `--hostname=${machine.id}`,
    `--network-veth-extra=${machine.device}:eth0`,
    '--capability=all',
    '--system-call-filter=@keyring bpf perf_event_open @mount',
    '--private-users=no',
    '--resolv-conf=off',
    '--timezone=off',
    '--link-journal=no',
    '--console=read-only',
    ...optional('/dev/fuse', ['--bind=/dev/fuse']),
    ...optional('/dev/kmsg', ['--bind=/dev/kmsg']),
    ...optional('/lib/modules', ['--bind-ro=/lib/modules']),
    `--bind-ro=${assets.binDir}:/opt/holdfast/bin`,
    `--bind-ro=${assets.nodeBinary}:/opt/holdfast/node`,
    `--bind-ro=${folders.agent}:/opt/holdfast/agent.cjs`,
    `--bind=${folders.socket}:/opt/holdfast/cloud`,
    `--bind-ro=${folders.images}:/opt/holdfast/images`,
    `--bind=${folders.containerd}:/var/lib/containerd`,
    `--bind=${folders.kubelet}:/var/lib/kubelet`,
    `--bind=${folders.podLogs}:/var/log/pods`,
    // Not read-only: a pod network of the user's own choice puts its plugins beside ours.
    `--overlay=${assets.cniDir}:${folders.cni}:/opt/cni/bin`,
    // Empty at every boot: no static pod may start before the agent has decided.
    '--tmpfs=/etc/kubernetes/manifests:mode=0700',
  ]
}

/** Reads a machine's name, cluster and id out of a process's words; undefined when it is none of this home's. */
export function machineOfCommand(
  home: Pick<Home, 'prefix'>,
  words: readonly string[],
): { name: string; cluster: string; id: string } | undefined {
  if (!words.some((word) => basename(word) === 'systemd-nspawn')) return undefined
  const option = (name: string) => words.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3)
  const name = option('machine')
  const folder = option('directory')
  if (!name?.startsWith(`${home.prefix}-`) || !folder) return undefined
  // …/clusters/CLUSTER/machines/ID/root
  const dir = dirname(folder)
  return { name, id: basename(dir), cluster: basename(dirname(dirname(dir))) }
}
