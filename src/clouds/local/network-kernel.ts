import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { localHost } from '../../hosts/local.ts'

/** Three machines with systemd, containerd and kubelet need more than the usual 128 instances. */
export const inotifyLimits = {
  'fs/inotify/max_user_instances': 8_192,
  'fs/inotify/max_user_watches': 524_288,
} as const

/** Machines cannot load modules themselves. */
const modules = ['overlay', 'loop', 'vxlan', 'nf_conntrack', 'br_netfilter'] as const

/**
 * Loads the modules that machines need and raises limits that are too low; never lowers one. What is
 * built into the kernel, or cannot be changed here, is no error: preflight has told about it.
 */
export async function prepareKernel(): Promise<void> {
  const bridgeSettings = ['iptables', 'ip6tables', 'arptables'].map(
    (what) => `/proc/sys/net/bridge/bridge-nf-call-${what}`,
  )
  const bridgeFilterWasThere = bridgeSettings.some((path) => existsSync(path))
  for (const name of modules)
    await localHost()
      .run(['modprobe', '-q', name])
      .catch(() => {})
  if (!bridgeFilterWasThere) {
    // The module is for the machines' namespaces; the host's other bridges stay as they were.
    for (const path of bridgeSettings) await writeFile(path, '0\n').catch(() => {})
  }
  for (const [name, wanted] of Object.entries(inotifyLimits)) {
    const path = `/proc/sys/${name}`
    const current = Number(await readFile(path, 'utf8').catch(() => 'NaN'))
    if (current < wanted) await writeFile(path, `${wanted}\n`).catch(() => {})
  }
}
