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

/**
 * Units that cost boot time and do nothing for a machine. systemd-sysctl would also change the
 * host's settings, now that /proc/sys is writable; kernel modules are the host's to load.
 */
const maskedUnits = [
  // nspawn would start the machine again by itself, with a link that is on no bridge. The cloud reboots.
  'ctrl-alt-del.target',
  'kexec.target',
  'reboot.target',
  'dev-hugepages.mount',
  'dev-mqueue.mount',
  'kmod-static-nodes.service',
  'ldconfig.service',
  'modprobe@.service',
  'proc-sys-fs-binfmt_misc.automount',
  'remote-fs.target',
  'sys-fs-fuse-connections.mount',
  'sys-kernel-config.mount',
  'sys-kernel-debug.mount',
  'sys-kernel-tracing.mount',
  'systemd-ask-password-console.path',
  'systemd-ask-password-wall.path',
  'systemd-binfmt.service',
  'systemd-firstboot.service',
  'systemd-hwdb-update.service',
  'systemd-initctl.socket',
  'systemd-journal-catalog-update.service',
  'systemd-machine-id-commit.service',
  'systemd-modules-load.service',
  'systemd-pcrphase.service',
  'systemd-pstore.service',
  'systemd-random-seed.service',
  'systemd-remount-fs.service',
  'systemd-sysctl.service',
  'systemd-sysusers.service',
  'systemd-tmpfiles-setup-dev.service',
  'systemd-update-done.service',
  'systemd-update-utmp-runlevel.service',
  'systemd-update-utmp.service',
  'systemd-user-sessions.service',
  'time-set.target',
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

const profile = 'export PATH="/opt/holdfast/bin:$PATH" KUBECONFIG=/etc/kubernetes/admin.conf\n'

/** The kernel's messages are the host's, thousands of them, and none of a machine's business. */
const journald = [
  '[Journal]',
  'Storage=persistent',
  'SystemMaxUse=64M',
  'RuntimeMaxUse=16M',
  'ForwardToSyslog=no',
  'ReadKMsg=no',
  'Audit=no',
  'RateLimitIntervalSec=0',
  '',
].join('\n')
