/** What every node must know about the pod networks of the others. Pure. */

export interface NodeNetwork {
  name: string
  uid: string
  address: string
  podCidr: string
}

/** The wanted state of one node's kernel. */
export interface PodRoutes {
  /** Only with `vxlan`. */
  device?: VxlanDevice
  peers: PeerRoute[]
}

export interface VxlanDevice {
  name: string
  mac: string
  local: string
  address: string
}

export interface PeerRoute {
  podCidr: string
  address: string
  /** First address of the range: the next hop inside the tunnel. */
  gateway: string
  mac: string
}

export const vxlan = {
  device: 'hf-vxlan',
  id: 4097,
  /** IANA's port for VXLAN. */
  port: 4789,
  /** Bytes that the tunnel takes from every packet. */
  overheadBytes: 50,
} as const

/**
 * Who set a route, as the kernel keeps it: only routes with this mark are ever removed. The number is nobody's
 * in iproute2's rt_protos.
 */
export const routeProtocol = 72

/** A locally administered MAC address made of a node's UID. */
export function macOf(uid: string): string {
  const hex = uid.replaceAll('-', '').slice(0, 10).padEnd(10, '0')
  return ['02', ...(hex.match(/../g) ?? [])].join(':')
}

const firstAddress = (cidr: string): string => cidr.split('/')[0] ?? cidr

/** Nodes without a pod range or an address yet are left out; of two that claim one range, none is routed. */
export function wantedRoutes(
  kind: 'vxlan' | 'routed',
  self: NodeNetwork,
  nodes: readonly NodeNetwork[],
): PodRoutes {
  const owners = new Map<string, number>()
  for (const node of nodes) owners.set(node.podCidr, (owners.get(node.podCidr) ?? 0) + 1)
  const peers = nodes
    .filter((node) => node.uid !== self.uid && node.podCidr && node.address && owners.get(node.podCidr) === 1)
    .map((node) => ({
      podCidr: node.podCidr,
      address: node.address,
      gateway: firstAddress(node.podCidr),
      mac: macOf(node.uid),
    }))
    .sort((one, other) => one.podCidr.localeCompare(other.podCidr))
  if (kind === 'routed') return { peers }
  const device = {
    name: vxlan.device,
    mac: macOf(self.uid),
    local: self.address,
    address: firstAddress(self.podCidr),
  }
  return { device, peers }
}

/** What `ip -json -details` and `bridge -json` say of this machine, as far as it is compared. */
export interface Kernel extends PeerEntries {
  /** `ip address show type vxlan` */
  devices: readonly KernelDevice[]
}

export interface KernelDevice {
  ifname: string
  address: string
  mtu: number
  flags: readonly string[]
  linkinfo: { info_data: { id: number; local?: string; link?: string; port: number; learning: boolean } }
  addr_info: readonly { local?: string; prefixlen: number }[]
}

interface PeerEntries {
  /** `ip route show proto 72` */
  routes: readonly { dst: string; gateway?: string; dev?: string }[]
  /** `ip neigh show nud permanent` */
  neighbours: readonly { dst: string; dev: string; lladdr?: string }[]
  /** `bridge fdb show` */
  forwarding: readonly { mac: string; ifname: string; dst?: string }[]
}

export interface Uplink {
  name: string
  mtu: number
}

/**
 * Lines for `ip -force -batch -` and then `bridge -force -batch -` that lead from what the kernel has to
 * what is wanted; none where it has all of it. What goes first goes before what comes, so that a range that
 * changed hands never points at two nodes. The device is made anew only when it is another one.
 */
export function podNetworkCommands(
  kernel: Kernel,
  wanted: PodRoutes,
  uplink: Uplink,
): { ip: string[]; bridge: string[] } {
  const { device } = wanted
  const found = device && kernel.devices.find(({ ifname }) => ifname === device.name)
  const kept = found && linkOf(found) === linkFor(device, uplink) ? found : undefined
  const there = leftOf(kernel, device?.name, kept)
  const entries = entriesFor(wanted, uplink)
  const routes = difference(there.routes.map(routeLine), entries.routes.map(routeLine))
  const neighbours = difference(there.neighbours.map(neighbourLine), entries.neighbours.map(neighbourLine))
  const forwarding = difference(there.forwarding.map(forwardingLine), entries.forwarding.map(forwardingLine))
  return {
    ip: [
      ...(found && !kept ? [`link del ${found.ifname}`] : []),
      ...(device ? deviceCommands(device, uplink, kept) : []),
      ...routes.stale.map((line) => `route del ${line}`),
      ...neighbours.stale.map((line) => `neigh del ${line}`),
      ...neighbours.fresh.map((line) => `neigh replace ${line}`),
      ...routes.fresh.map((line) => `route replace ${line}`),
    ],
    bridge: [
      ...forwarding.stale.map((line) => `fdb del ${line}`),
      ...forwarding.fresh.map((line) => `fdb replace ${line}`),
    ],
  }
}

/** All routes of ours and what is on our device. With a device that is made anew, what is on it goes by itself. */
function leftOf(kernel: Kernel, device: string | undefined, kept: KernelDevice | undefined): PeerEntries {
  return {
    routes: kernel.routes.filter(({ dev }) => kept || !device || dev !== device),
    neighbours: kernel.neighbours.filter(({ dev }) => dev === kept?.ifname),
    forwarding: kernel.forwarding.filter(({ ifname }) => ifname === kept?.ifname),
  }
}

function entriesFor({ device, peers }: PodRoutes, uplink: Uplink): PeerEntries {
  if (!device) {
    const routes = peers.map(({ podCidr, address }) => ({ dst: podCidr, gateway: address, dev: uplink.name }))
    return { routes, neighbours: [], forwarding: [] }
  }
  const dev = device.name
  return {
    routes: peers.map(({ podCidr, gateway }) => ({ dst: podCidr, gateway, dev })),
    neighbours: peers.map(({ gateway, mac }) => ({ dst: gateway, lladdr: mac, dev })),
    forwarding: peers.map(({ mac, address }) => ({ mac, ifname: dev, dst: address })),
  }
}

function deviceCommands(device: VxlanDevice, uplink: Uplink, kept: KernelDevice | undefined): string[] {
  const { name, address } = device
  const hasAddress = kept?.addr_info.some(({ local, prefixlen }) => local === address && prefixlen === 32)
  return [
    ...(kept ? [] : [`link add ${linkFor(device, uplink)}`]),
    ...(hasAddress ? [] : [`address replace ${address}/32 dev ${name}`]),
    ...(kept?.flags.includes('UP') ? [] : [`link set ${name} up`]),
  ]
}

const linkFor = ({ name, mac, local }: VxlanDevice, uplink: Uplink): string =>
  linkOf({
    ifname: name,
    address: mac,
    mtu: uplink.mtu - vxlan.overheadBytes,
    linkinfo: { info_data: { id: vxlan.id, local, link: uplink.name, port: vxlan.port, learning: false } },
  })

function linkOf(link: Omit<KernelDevice, 'flags' | 'addr_info'>): string {
  const { id, local, link: uplink, port, learning } = link.linkinfo.info_data
  return (
    `${link.ifname} address ${link.address} mtu ${link.mtu} type vxlan id ${id} local ${local} ` +
    `dev ${uplink} dstport ${port} ${learning ? 'learning' : 'nolearning'}`
  )
}

function routeLine({ dst, gateway, dev }: Kernel['routes'][number]): string {
  const via = gateway ? ` via ${gateway}` : ''
  return `${dst}${via} dev ${dev} proto ${routeProtocol}${dev === vxlan.device ? ' onlink' : ''}`
}

const neighbourLine = ({ dst, lladdr, dev }: Kernel['neighbours'][number]): string =>
  `${dst} lladdr ${lladdr} dev ${dev} nud permanent`

/** Which machine stands behind which MAC address. */
const forwardingLine = ({ mac, ifname, dst }: Kernel['forwarding'][number]): string =>
  `${mac} dev ${ifname}${dst ? ` dst ${dst}` : ''} self permanent`

/** Entries are compared as the very words that set them. */
function difference(
  there: readonly string[],
  wanted: readonly string[],
): { stale: string[]; fresh: string[] } {
  const [have, want] = [new Set(there), new Set(wanted)]
  return {
    stale: there.filter((line) => !want.has(line)),
    fresh: wanted.filter((line) => !have.has(line)),
  }
}
