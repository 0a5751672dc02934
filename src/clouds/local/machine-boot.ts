/** The first thing a machine does, before any service of its own. */
export const bootUnit = `[Unit]
Description=Prepare this machine: mounts, kernel settings, network
DefaultDependencies=no
Before=sysinit.target systemd-sysctl.service systemd-tmpfiles-setup.service systemd-journald.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh /etc/holdfast/boot.sh

[Install]
WantedBy=sysinit.target
`

export interface BootNetwork {
  address: string
  /** The machines' network, for example 10.213.0.0/24. */
  cidr: string
  gateway: string
  egress: 'none' | 'nat'
}

/**
 * nspawn mounts the control groups and /proc/sys read-only; containerd and kubelet write to both.
 * A plain remount leaves cgroup v1's \`memory\` read-only, hence \`bind\`. Container mounts have to
 * reach kubelet, hence shared. A setting that this kernel does not know is no reason to stop.
 */
export function bootScript(network: BootNetwork): string {
  const prefixLength = network.cidr.split('/')[1] ?? '24'
  const settings = Object.entries(sysctls)
    .map(([name, value]) => `set_sysctl ${name} ${value}`)
    .join('\n')
  return `# Written by Holdfast before each boot.
mount --make-rshared /
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  mount -o remount,bind,rw /sys/fs/cgroup
else
  while read -r _ hierarchy kind _; do
    case "$hierarchy $kind" in "/sys/fs/cgroup/"*" cgroup"*) mount -o remount,bind,rw "$hierarchy" ;; esac
  done </proc/mounts
fi
mount -o remount,bind,rw /proc/sys
mkdir -p /etc/kubernetes/manifests

set_sysctl() {
  if [ -w "/proc/sys/$1" ]; then echo "$2" >"/proc/sys/$1" || true; fi
}
${settings}

ip link set lo up
ip address replace ${network.address}/${prefixLength} dev eth0
ip link set eth0 up
${network.egress === 'nat' ? `ip route replace default via ${network.gateway}` : '# No default route: this machine talks to its own cluster only.'}
exit 0
`
}

/**
 * All of them belong to the machine's own network namespace. `arp_notify` tells the others at once
 * that an address moved to another machine. `tcp_retries2`: with 2 the connections to a machine that is silent
 * end after three seconds instead of a quarter of an hour. A leader of etcd can send to nobody while it closes
 * those to a member that is removed, and with one that is silent that takes up to five seconds.
 */
const sysctls = {
  'net/ipv4/ip_forward': 1,
  'net/ipv4/tcp_retries2': 2,
  'net/ipv4/conf/all/rp_filter': 0,
  'net/ipv4/conf/default/rp_filter': 0,
  'net/ipv4/conf/eth0/rp_filter': 0,
  'net/ipv4/conf/eth0/arp_notify': 1,
  'net/ipv4/conf/all/route_localnet': 1,
  'net/bridge/bridge-nf-call-iptables': 1,
  'net/bridge/bridge-nf-call-ip6tables': 1,
  'net/ipv6/conf/eth0/accept_ra': 0,
} as const
