import { existsSync } from 'node:fs'
import { readdir, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isErrno } from '../../errors.ts'
import { readIfThere, waitFor } from './process.ts'

const mountpoint = '/sys/fs/cgroup'

/** Which control groups this host has. A hybrid host counts as 1: its controllers are version 1's. */
export const cgroupVersion = (): 1 | 2 => (existsSync(`${mountpoint}/cgroup.controllers`) ? 2 : 1)

/**
 * Shell lines that put the calling shell ($$) into a control group `$1/$2` of every hierarchy.
 * Each machine needs one of its own: with a common root, one machine's kubelet would clean up the
 * others' pods as orphans. Used on hosts without systemd; with it, a delegated scope does the same.
 * A group shares the processors with its parent's other groups and processes as equals, so all machines
 * together would weigh as much as one process of the host: a build on it would starve every apiserver at once.
 * They weigh as much as four instead, as the machines of a usual cluster would one by one.
 */
export const enterCgroupScript = `
group="$1/$2"; shift 2
enter() {
  mkdir -p "$1/$group" || mkdir -p "$1/$group" || exit 1
  for folder in "$1/\${group%/*}" "$1/$group"; do
    for setting in cpuset.cpus cpuset.mems; do
      if [ -f "$folder/$setting" ] && [ -z "$(cat "$folder/$setting")" ]; then
        cat "\${folder%/*}/$setting" >"$folder/$setting" 2>/dev/null || :
      fi
    done
  done
  parent="$1/\${group%/*}"
  if [ -f "$parent/cpu.shares" ]; then echo 4096 >"$parent/cpu.shares"; fi
  if [ -f "$parent/cpu.weight" ]; then echo 400 >"$parent/cpu.weight"; fi
  echo $$ >"$1/$group/cgroup.procs" || exit 1
}
if [ -e ${mountpoint}/cgroup.controllers ]; then
  mkdir -p "${mountpoint}/\${group%/*}"
  for controller in $(cat ${mountpoint}/cgroup.controllers); do
    echo "+$controller" >${mountpoint}/cgroup.subtree_control 2>/dev/null || :
    echo "+$controller" >"${mountpoint}/\${group%/*}/cgroup.subtree_control" 2>/dev/null || :
  done
  enter ${mountpoint}
else
  for hierarchy in ${mountpoint}/*; do
    if [ -d "$hierarchy" ] && [ ! -h "$hierarchy" ] && [ -e "$hierarchy/cgroup.procs" ]; then enter "$hierarchy"; fi
  done
fi
`

/** Our own group's folder in every hierarchy where it is. */
async function foldersOf(group: string): Promise<string[]> {
  const tops =
    cgroupVersion() === 2 ? [mountpoint] : (await readdir(mountpoint)).map((name) => join(mountpoint, name))
  return tops.map((top) => join(top, group)).filter((folder) => existsSync(folder))
}

/**
 * A machine's own group, read from a process's /proc/PID/cgroup: what is called like the machine, or
 * is its scope. undefined where the process is in none, for what is above is not the machine's alone. Pure.
 */
export function groupInside(text: string, machine: string): string | undefined {
  for (const line of text.split('\n')) {
    const parts = line.split(':').slice(2).join(':').split('/').filter(Boolean)
    const own = parts.findIndex((part) => part === machine || part === `${machine}.scope`)
    if (own >= 0) return parts.slice(0, own + 1).join('/')
  }
  return undefined
}

/** Every process in the group or below it; from the kernel. Where that cannot be read it is an error. */
export async function processesInGroup(group: string): Promise<number[]> {
  const pids = new Set<number>()
  for (const folder of await foldersOf(group)) {
    for (const below of await tree(folder)) {
      const text = await readIfThere(join(below, 'cgroup.procs'))
      for (const line of text.split('\n').filter(Boolean)) pids.add(Number(line))
    }
  }
  pids.delete(0)
  return [...pids]
}

/**
 * Removes the group, and what is below it unless `below` is false. The kernel refuses while a
 * process or another group is in it; returns false when it is still there after `timeoutMs`.
 */
export async function removeGroup(
  group: string,
  options: { timeoutMs: number; below?: boolean },
): Promise<boolean> {
  const done = await waitFor(async () => {
    for (const folder of await foldersOf(group)) {
      for (const each of options.below === false ? [folder] : (await tree(folder)).reverse()) {
        await rmdir(each).catch((error: unknown) => {
          if (!isErrno(error, 'EBUSY', 'ENOENT', 'ENOTEMPTY')) throw error
        })
      }
    }
    return (await foldersOf(group)).length === 0
  }, options.timeoutMs)
  return done ?? false
}

/** The folder and all below it, parents first. */
async function tree(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  const below = entries.filter((entry) => entry.isDirectory()).map((entry) => tree(join(folder, entry.name)))
  return [folder, ...(await Promise.all(below)).flat()]
}
