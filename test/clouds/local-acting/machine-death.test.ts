import { spawn } from 'node:child_process'
import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { killMachine } from '../../../src/clouds/local/machine.ts'
import {
  cgroupVersion,
  enterCgroupScript,
  groupInside,
  processesInGroup,
  removeGroup,
} from '../../../src/clouds/local/machine-cgroup.ts'
import { machineName } from '../../../src/clouds/local/machine-nspawn.ts'
import type { LocalMachine } from '../../../src/clouds/local/parts.ts'
import { identityOf, isRunning, type ProcessIdentity } from '../../../src/clouds/local/process.ts'
import { resolveHome } from '../../../src/home.ts'

const groupsFolder = cgroupVersion() === 2 ? '/sys/fs/cgroup' : '/sys/fs/cgroup/pids'
const home = resolveHome({ HOLDFAST_HOME: join(tmpdir(), 'hf-death') })
const machine = (started: ProcessIdentity): LocalMachine => ({
  id: 'w-abcde',
  cluster: 'one',
  group: 'w',
  role: 'node',
  zone: 'z',
  address: '10.213.0.2',
  state: 'running',
  bootedAt: '',
  device: 'hf-death-none',
  process: started,
})
const known = async (pid = 0): Promise<ProcessIdentity> => {
  const identity = await identityOf(pid)
  if (!identity) throw new Error(`${pid} does not run`)
  return identity
}

afterEach(() => {
  vi.restoreAllMocks()
})

describe('a machine is dead when it is proven', () => {
  test('not while its first process does not end', async () => {
    const started = await known(spawn('sleep', ['60']).pid)
    const refused = vi.spyOn(process, 'kill').mockReturnValue(true)

    await expect(killMachine(home, machine(started), 200)).rejects.toMatchObject({
      code: 'machine-not-dead',
      message: expect.stringContaining(`process ${started.pid} runs`),
    })

    refused.mockRestore()
    await killMachine(home, machine(started), 2_000)
    expect(await isRunning(started)).toBe(false)
  })

  test.each([
    ['0::/hf-1/hf-1-w-abcde', 'hf-1/hf-1-w-abcde'],
    ['0::/system.slice/hf-1-w-abcde.scope/supervisor', 'system.slice/hf-1-w-abcde.scope'],
    ['9:name=systemd:/user.slice/hf-1-w-abcde.scope\n4:memory:/\n0::/', 'user.slice/hf-1-w-abcde.scope'],
    ['0::/user.slice/session-1.scope', undefined],
    ['0::/hf-1/hf-1-w-abcdef', undefined],
    ['0::/', undefined],
    ['', undefined],
  ])('its own control group is read from %j: %s', (text, expected) => {
    expect(groupInside(text, 'hf-1-w-abcde')).toBe(expected)
  })
})

describe.skipIf(!mayMakeGroups())('a machine in a scope of systemd', () => {
  const slice = `${home.prefix}.slice`
  const scope = `${machineName(home, 'w-abcde')}.scope`
  afterEach(async () => {
    for (const pid of await processesInGroup(slice)) process.kill(pid, 'SIGKILL')
    await removeGroup(slice, { timeoutMs: 1_000 })
  })

  test('is dead when every process in the scope has ended, and the scope goes', async () => {
    const script = `${enterCgroupScript}\nsetsid sleep 60 & echo inside; exec sleep 60`
    const first = spawn('sh', ['-c', script, 'sh', slice, scope], { stdio: ['ignore', 'pipe', 'ignore'] })
    const group = `${slice}/${scope}`
    await new Promise((resolve) => first.stdout.once('data', resolve))
    expect(existsSync(join(groupsFolder, group))).toBe(true)
    const inside = await Promise.all((await processesInGroup(group)).map(known))
    expect(weightOf(slice)).toBe('four processes')

    await killMachine(home, machine(await known(first.pid)))

    expect(inside).toHaveLength(2)
    expect(await Promise.all(inside.map(isRunning))).toEqual([false, false])
    expect(existsSync(join(groupsFolder, group))).toBe(false)
  })
})

/** As a process of the host weighs 1024 shares, or 100 with control groups v2. */
function weightOf(group: string): string {
  const read = (folder: string, setting: string) => {
    const path = join(folder, group, setting)
    return existsSync(path) ? Number(readFileSync(path, 'utf8')) : undefined
  }
  const share =
    read('/sys/fs/cgroup/cpu', 'cpu.shares') ?? (read('/sys/fs/cgroup', 'cpu.weight') ?? 0) * 10.24
  return share === 4096 ? 'four processes' : `${share} shares`
}

function mayMakeGroups(): boolean {
  try {
    accessSync(groupsFolder, constants.W_OK)
    return process.getuid?.() === 0
  } catch {
    return false
  }
}
