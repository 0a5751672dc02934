/**
 * Cleans up what killed test runs left behind, and nothing else: only homes that tests made
 * (`/tmp/holdfast-test-PID-…`, see test/cli/support.ts and test/e2e) whose process has ended. What
 * such a home made on this host is found by its folder and by its own `hf-…` prefix.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { resolveHome } from '../src/home.ts'

const run = (command: string, ...words: string[]): string => {
  try {
    return execFileSync(command, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  } catch {
    return ''
  }
}

/** Pid and words of every process of this host. */
function processes(): { pid: number; words: string }[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return []
    try {
      return [
        { pid: Number(name), words: readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ') },
      ]
    } catch {
      return []
    }
  })
}

const environmentOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8')
  } catch {
    return ''
  }
}

/** Processes that name this folder or prefix as one of their words, or have it as their home. */
async function endProcesses(base: string, prefix: string): Promise<void> {
  for (let round = 0; round < 5; round++) {
    const ours = processes().filter(
      ({ pid, words }) =>
        pid !== process.pid &&
        (words.includes(`${base}/`) ||
          new RegExp(`(^|[ =])${prefix}-`).test(words) ||
          environmentOf(pid).includes(`HOLDFAST_HOME=${base}/`)),
    )
    if (ours.length === 0) return
    for (const { pid, words } of ours) {
      console.log(`ending process ${pid}: ${words.slice(0, 100)}`)
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It has ended by itself.
      }
    }
    await sleep(300)
  }
}

function removeFromHost(base: string, prefix: string): void {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(`${base}/`))
  for (const path of mounts.reverse()) run('umount', '--lazy', path)
  for (const line of run('losetup', '--noheadings', '--list', '--output', 'NAME,BACK-FILE').split('\n')) {
    const [device = '', file = ''] = line.trim().split(/\s+/)
    if (file.startsWith(`${base}/`)) run('losetup', '--detach', device)
  }
  for (const [, name = ''] of run('ip', '-o', 'link').matchAll(/^\d+: ([^:@]+)/gm)) {
    if (name.startsWith(prefix)) run('ip', 'link', 'delete', name)
  }
  for (const [, family = '', table = ''] of run('nft', 'list', 'tables').matchAll(/^table (\S+) (\S+)/gm)) {
    if (table.startsWith(prefix)) run('nft', 'delete', 'table', family, table)
  }
  const cgroups = run('find', '/sys/fs/cgroup', '-depth', '-type', 'd', '-path', `*/${prefix}*`)
  for (const folder of cgroups.split('\n')) if (folder) run('rmdir', folder)
}

for (const name of readdirSync(tmpdir())) {
  const owner = /^holdfast-test-(\d+)-/.exec(name)?.[1]
  if (!owner || existsSync(`/proc/${owner}`)) continue
  const base = join(tmpdir(), name)
  const homes = [base, join(base, 'home')].filter((path) => existsSync(path))
  console.log(`cleaning up after the test run of process ${owner}: ${base}`)
  for (const path of homes) {
    const { prefix } = resolveHome({ HOLDFAST_HOME: path })
    await endProcesses(base, prefix)
    removeFromHost(base, prefix)
  }
  rmSync(base, { recursive: true, force: true })
}
