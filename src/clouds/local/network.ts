import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { HoldfastError } from '../../errors.ts'
import type { Home } from '../../home.ts'
import { localHost } from '../../hosts/local.ts'
import { removeGroup } from './machine-cgroup.ts'
import { prepareKernel } from './network-kernel.ts'
import { addForwarding, removeForwarding } from './network-rules.ts'
import type { LocalCluster } from './parts.ts'
import { withHostLock } from './process-lock.ts'
import { addressText, type HostRoute, hostRoutes, overlaps, rangeOf } from './routes.ts'

export interface LocalNetwork {
  cidr: string
  gateway: string
  device: string
  egress: 'none' | 'nat'
}

/**
 * Where a cluster's /24 comes from when the user names none: far from the usual pod and service
 * ranges (10.244/16, 10.96/12) and from what clouds and Docker hand out first. The second is for those
 * whose pods or routes have the first.
 */
export const machinePools = ['10.213.0.0/16', '10.37.0.0/16'] as const

/** The bridge's name, which is also the name of our nft table. */
export const networkDevice = (home: Pick<Home, 'prefix'>, cluster: Pick<LocalCluster, 'index'>): string =>
  `${home.prefix}-${cluster.index}`

/**
 * Makes the cluster's bridge with the gateway's address, and the rules that let its machines talk.
 * Idempotent; takes up again what was left half done.
 * @param options.taken ranges that the machines' must not meet, besides the host's routes.
 * @throws HoldfastError `range-overlap` naming the other range, `network-full`, `network-differs`.
 */
export async function ensureNetwork(
  home: Home,
  cluster: LocalCluster,
  options: { cidr?: string | undefined; taken?: readonly string[]; egress: 'none' | 'nat' },
): Promise<LocalNetwork> {
  const device = networkDevice(home, cluster)
  // One lock for the host: two homes must not choose the same range at the same moment.
  return withHostLock('network', async () => {
    const routes = await hostRoutes()
    const present = (await addressesOf(device))[0]
    const cidr =
      options.cidr ??
      cluster.network?.cidr ??
      (present && networkCidr(present)) ??
      chooseRange(routes, options.taken)
    const gateway = addressText(rangeOf(cidr).first + 1)
    const wanted = `${gateway}/${cidr.split('/')[1]}`
    if (present && present !== wanted) {
      throw new HoldfastError('network-differs', `${device} has the address ${present}, not ${wanted}`, {
        remedy: 'The network of a cluster cannot change: delete the cluster, or leave machineCidr as it was.',
      })
    }
    refuseOverlap(cidr, routes, device, options.taken)
    await prepareKernel()
    await makeBridge(device, wanted)
    await addForwarding(device, options.egress)
    return { cidr: networkCidr(wanted), gateway, device, egress: options.egress }
  })
}

/**
 * Makes the rules again of a bridge that is there: Docker or firewalld, installed or restarted since,
 * may have taken them away or drop what they did not drop before.
 */
export async function ensureRules(home: Home, cluster: LocalCluster): Promise<void> {
  const { network } = cluster
  if (!network || !(await networkExists(home, cluster))) return
  await withHostLock('network', () => addForwarding(network.device, network.egress))
}

/** Removes our bridge and our rules, nothing else. Idempotent. */
export async function deleteNetwork(home: Home, cluster: LocalCluster): Promise<void> {
  const device = networkDevice(home, cluster)
  await withHostLock('network', async () => {
    await removeForwarding(device)
    if (existsSync(`/sys/class/net/${device}`)) await localHost().run(['ip', 'link', 'delete', device])
    // The home's own control group goes with its last machine; the kernel refuses before that.
    await removeGroup(home.prefix, { timeoutMs: 0, below: false })
  })
}

/** Is the bridge there, with an address? After a reboot of the host it is not. */
export async function networkExists(home: Home, cluster: LocalCluster): Promise<boolean> {
  return (await addressesOf(networkDevice(home, cluster))).length > 0
}

/** The first /24 of the pools that overlaps no route of the host and nothing that is taken. Pure. */
export function chooseRange(routes: readonly HostRoute[], taken: readonly string[] = []): string {
  const others = [...routes.map(({ cidr }) => cidr), ...taken]
  for (const { first, last } of machinePools.map(rangeOf)) {
    for (let base = first; base <= last; base += 256) {
      const cidr = `${addressText(base)}/24`
      if (!others.some((other) => overlaps(other, cidr))) return cidr
    }
  }
  throw new HoldfastError(
    'network-full',
    `Every range of ${machinePools.join(' and ')} overlaps a route of this host, or the cluster's pods or services`,
    { remedy: 'Name a free range with networking.machineCidr.' },
  )
}

function refuseOverlap(
  cidr: string,
  routes: readonly HostRoute[],
  device: string,
  taken: readonly string[] = [],
): void {
  const route = routes.find((other) => other.device !== device && overlaps(other.cidr, cidr))
  const range = taken.find((other) => overlaps(other, cidr))
  if (!route && !range) return
  const other = route ? `the host's route ${route.cidr} (${route.device})` : `${range}, its pods or services`
  throw new HoldfastError('range-overlap', `The machines' range ${cidr} overlaps ${other}`, {
    remedy: 'Name another range with networking.machineCidr, or leave it out.',
  })
}

/** Each step is skipped when it is done, so that a run that was cut short is completed by the next. */
async function makeBridge(device: string, address: string): Promise<void> {
  const host = localHost()
  if (!existsSync(`/sys/class/net/${device}`)) {
    // A fixed hardware address: else the bridge takes its ports' lowest, and changes it with them.
    const digits = createHash('sha256').update(device).digest('hex').slice(0, 10)
    const hardware = ['02', ...(digits.match(/../g) ?? [])].join(':')
    await host.run(['ip', 'link', 'add', device, 'address', hardware, 'type', 'bridge', 'forward_delay', '0'])
  }
  await host.run(['sysctl', '-q', '-w', `net.ipv6.conf.${device}.disable_ipv6=1`]).catch(() => {})
  await host.run(['ip', 'address', 'replace', address, 'dev', device])
  await host.run(['ip', 'link', 'set', device, 'up'])
}

/** IPv4 addresses with their lengths; none when there is no such device. */
async function addressesOf(device: string): Promise<string[]> {
  if (!existsSync(`/sys/class/net/${device}`)) return []
  const { stdout } = await localHost().run(['ip', '-json', '-4', 'address', 'show', 'dev', device])
  const rows = JSON.parse(stdout.trim() || '[]') as { addr_info?: { local: string; prefixlen: number }[] }[]
  return rows.flatMap((row) => (row.addr_info ?? []).map((info) => `${info.local}/${info.prefixlen}`))
}

const networkCidr = (address: string): string =>
  `${addressText(rangeOf(address).first)}/${address.split('/')[1] ?? '32'}`
