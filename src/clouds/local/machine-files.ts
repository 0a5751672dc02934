import { bootScript, bootUnit } from './machine-boot.ts'
import {
  agentUnit,
  containerdConfig,
  containerdUnit,
  kubeletDropIn,
  kubeletUnit,
} from './machine-services.ts'
import type { LocalMachine } from './parts.ts'

/** One file, folder or link inside a machine's root. */
export type MachineFile =
  | { path: string; content: string; mode?: number }
  | { path: string; linkTo: string }
  | { path: string; folder: true; mode?: number }

export interface MachineFilesInput {
  machine: Pick<LocalMachine, 'id' | 'address'>
  /** Written to /etc/holdfast/identity.json; holds no secret. */
  identity: object
  network: { cidr: string; gateway: string; egress: 'none' | 'nat' }
  cgroupVersion: 1 | 2
  /** The host's name servers, for machines that may reach out. */
  nameservers: readonly string[]
  /** 32 hexadecimal digits. A machine without one would be at its "first boot" each time. */
  systemdMachineId: string
}

/** Tools that `nsenter` and kubeadm look for in the usual places. */
const linkedTools = ['kubelet', 'kubeadm', 'kubectl', 'containerd', 'ctr', 'etcdctl', 'etcdutl'] as const

/** Units that cost boot time and do nothing for a machine. */
const maskedUnits = [
  'apt-daily.timer',
  'apt-daily-upgrade.timer',
  'console-getty.service',
  'dpkg-db-backup.timer',
  'e2scrub_all.timer',
  'e2scrub_reap.service',
  'fstrim.timer',
  'getty.target',
  'haproxy.service',
  'nftables.service',
  'systemd-logind.service',
  'systemd-networkd.service',
  'systemd-networkd.socket',
  'systemd-resolved.service',
  'systemd-timesyncd.service',
  'systemd-update-utmp.service',
  'systemd-user-sessions.service',
] as const

/** Everything that is laid over the common root before each boot. Pure. */
export function machineFiles(input: MachineFilesInput): MachineFile[] {
  const { machine, network } = input
  const enabled: [unit: string, target: string][] = [
    ['holdfast-boot.service', 'sysinit.target'],
    ['containerd.service', 'multi-user.target'],
    ['holdfast-agent.service', 'multi-user.target'],
  ]
  return [
    { path: '/etc/hostname', content: `${machine.id}\n` },
    { path: '/etc/machine-id', content: `${input.systemdMachineId}\n`, mode: 0o444 },
    { path: '/etc/hosts', content: hosts(machine) },
    { path: '/etc/resolv.conf', content: resolvConf(input) },
    { path: '/etc/holdfast', folder: true },
    { path: '/etc/holdfast/identity.json', content: `${JSON.stringify(input.identity, null, 2)}\n` },
    {
      path: '/etc/holdfast/boot.sh',
      content: bootScript({ ...network, address: machine.address }),
      mode: 0o755,
    },
    { path: '/etc/profile.d/holdfast.sh', content: profile },
    { path: '/etc/containerd/config.toml', content: containerdConfig(input.cgroupVersion) },
    { path: '/etc/crictl.yaml', content: 'runtime-endpoint: unix:///run/containerd/containerd.sock\n' },
    { path: '/etc/systemd/journald.conf.d/holdfast.conf', content: journald },
    { path: '/etc/systemd/system/holdfast-boot.service', content: bootUnit },
    { path: '/etc/systemd/system/containerd.service', content: containerdUnit },
    { path: '/etc/systemd/system/kubelet.service', content: kubeletUnit },
    { path: '/etc/systemd/system/kubelet.service.d/10-kubeadm.conf', content: kubeletDropIn },
    { path: '/etc/systemd/system/holdfast-agent.service', content: agentUnit },
    { path: '/etc/systemd/system/default.target', linkTo: '/usr/lib/systemd/system/multi-user.target' },
    ...enabled.map(([unit, target]) => ({
      path: `/etc/systemd/system/${target}.wants/${unit}`,
      linkTo: `/etc/systemd/system/${unit}`,
    })),
    ...maskedUnits.map((unit) => ({ path: `/etc/systemd/system/${unit}`, linkTo: '/dev/null' })),
    ...linkedTools.map((tool) => ({ path: `/usr/local/bin/${tool}`, linkTo: `/opt/holdfast/bin/${tool}` })),
    { path: '/usr/bin/kubelet', linkTo: '/opt/holdfast/bin/kubelet' },
    { path: '/var/log/journal', folder: true },
  ]
}

function hosts(machine: MachineFilesInput['machine']): string {
  return ['127.0.0.1 localhost', '::1 localhost ip6-localhost', `${machine.address} ${machine.id}`, ''].join(
    '\n',
  )
}

/**
 * kubelet starts no sandbox without a name server. Without a way out it is the machine itself:
 * nothing listens there, so that a question for an outside name is refused at once.
 */
function resolvConf({ machine, network, nameservers }: MachineFilesInput): string {
  const servers = network.egress === 'nat' && nameservers.length > 0 ? nameservers : [machine.address]
  return servers
    .slice(0, 3)
    .map((server) => `nameserver ${server}\n`)
    .join('')
}

const profile =
  'PATH="/opt/holdfast/bin:$PATH"\nexport PATH KUBECONFIG="${KUBECONFIG:-/etc/kubernetes/admin.conf}"\n'

const journald =
  '[Journal]\nStorage=persistent\nSystemMaxUse=64M\nForwardToConsole=no\nRateLimitIntervalSec=0\n'
