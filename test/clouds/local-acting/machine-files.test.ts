import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { type MachineFilesInput, machineFiles } from '../../../src/clouds/local/machine-files.ts'
import { machineFolders, usableNameservers } from '../../../src/clouds/local/machine-folder.ts'
import { machineCommand, machineName, machineOfCommand } from '../../../src/clouds/local/machine-nspawn.ts'
import type { LocalMachine, MachineAssets } from '../../../src/clouds/local/parts.ts'

const input: MachineFilesInput = {
  machine: { id: 'master-a-x1', address: '10.213.0.2' },
  identity: { machineId: 'master-a-x1' },
  network: { cidr: '10.213.0.0/24', gateway: '10.213.0.1', egress: 'none' },
  cgroupVersion: 1,
  nameservers: ['9.9.9.9'],
  systemdMachineId: '0'.repeat(32),
}

function contentOf(changes: Partial<MachineFilesInput>, path: string): string {
  const file = machineFiles({ ...input, ...changes }).find((each) => each.path === path)
  if (!file || !('content' in file)) throw new Error(`no file ${path}`)
  return file.content
}

describe("a machine's files", () => {
  test('a machine without egress has no way out: no default route, names are asked of itself', () => {
    expect(contentOf({}, '/etc/resolv.conf')).toBe('nameserver 10.213.0.2\n')
    expect(contentOf({}, '/etc/holdfast/boot.sh')).not.toMatch(/route .*default/)
  })

  test('with egress it has the gateway and the host’s name servers, or itself where the host has none', () => {
    const network = { ...input.network, egress: 'nat' as const }

    expect(contentOf({ network }, '/etc/resolv.conf')).toBe('nameserver 9.9.9.9\n')
    expect(contentOf({ network, nameservers: [] }, '/etc/resolv.conf')).toBe('nameserver 10.213.0.2\n')
    expect(contentOf({ network }, '/etc/holdfast/boot.sh')).toContain(
      'ip route replace default via 10.213.0.1',
    )
  })

  test('the cgroup driver follows the host', () => {
    const path = '/etc/containerd/config.toml'

    expect(contentOf({ cgroupVersion: 1 }, path)).toContain('SystemdCgroup = false')
    expect(contentOf({ cgroupVersion: 2 }, path)).toContain('SystemdCgroup = true')
  })

  test('kubelet is never started by the boot, the agent always is', () => {
    const links = machineFiles(input).filter((file) => 'linkTo' in file && file.path.includes('.wants/'))

    expect(links.map(({ path }) => path).sort()).toEqual([
      '/etc/systemd/system/multi-user.target.wants/containerd.service',
      '/etc/systemd/system/multi-user.target.wants/holdfast-agent.service',
      '/etc/systemd/system/sysinit.target.wants/holdfast-boot.service',
    ])
  })

  test('no unit is both written and masked, no path is written twice', () => {
    const paths = machineFiles(input).map(({ path }) => path)

    expect(paths.length).toBe(new Set(paths).size)
  })

  test('the boot script is one that a shell can read', () => {
    execFileSync('sh', ['-n'], { input: contentOf({}, '/etc/holdfast/boot.sh') })
  })

  test.each([
    ['nameserver 127.0.0.53\nnameserver 192.0.2.53\n', ['192.0.2.53']],
    ['# nameserver 192.0.2.1\nnameserver fe80::1\noptions edns0\n', []],
  ])('name servers that answer on the host alone, or by IPv6, are of no use: %j', (text, expected) => {
    expect(usableNameservers(text)).toEqual(expected)
  })
})

describe("a machine's command", () => {
  const home = { prefix: 'hf-abcdef', dir: '/home' }
  const machine: LocalMachine = {
    id: 'node-x2',
    cluster: 'one.example.com',
    group: 'nodes',
    role: 'node',
    zone: 'a',
    address: '10.213.0.5',
    state: 'starting',
    bootedAt: '',
    device: 'hf-abcdef-x2abc',
  }
  const assets: MachineAssets = {
    machineRoot: '/cache/root',
    binDir: '/cache/bin',
    cniDir: '/cache/cni',
    containerdTemplate: '/cache/containerd',
    nodeBinary: '/node',
    agentBundle: '/agent.cjs',
    agentSha256: '',
  }
  const folders = machineFolders(home, machine.cluster, machine.id)

  test.each([true, false])('is recognised in the list of processes (systemd on the host: %s)', (systemd) => {
    const { command } = machineCommand(home, machine, folders, assets, systemd)

    const expected = { name: 'hf-abcdef-node-x2', cluster: 'one.example.com', id: 'node-x2' }
    expect(machineOfCommand(home, command)).toEqual(expected)
    expect(machineOfCommand({ prefix: 'hf-000000' }, command)).toBeUndefined()
    expect(machineOfCommand(home, ['grep', `--machine=${expected.name}`])).toBeUndefined()
  })

  test('a home that an overlay cannot be made in is refused by name', () => {
    const odd = machineFolders({ dir: '/home/a,b' }, machine.cluster, machine.id)

    expect(() => machineCommand(home, machine, odd, assets, false)).toThrow(/comma.*/)
  })

  test('long names keep to 64 characters and stay different', () => {
    const names = ['x', 'y'].map((end) => machineName(home, `${'long-'.repeat(20)}${end}`))

    expect(names.map((name) => name.length)).toEqual([64, 64])
    expect(names[0]).not.toBe(names[1])
  })
})
