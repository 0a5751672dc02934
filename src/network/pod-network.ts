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
  device?: { name: string; mac: string; local: string; address: string }
  peers: PeerRoute[]
}

export interface PeerRoute {
  /** The node's UID: what belongs to a dead node goes before its range is used again. */
  uid: string
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
      uid: node.uid,
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

/**
 * Lines for `ip -force -batch -` that lead from what was set before to what is wanted: what goes
 * first goes before what comes, so that a range that changed hands never points at two nodes.
 */
export function routeCommands(before: PodRoutes | undefined, wanted: PodRoutes, uplink: string): string[] {
  const same = (one: PeerRoute, other: PeerRoute): boolean =>
    one.uid === other.uid && one.podCidr === other.podCidr && one.address === other.address
  const gone = (before?.peers ?? []).filter((old) => !wanted.peers.some((peer) => same(old, peer)))
  const fresh = wanted.peers.filter((peer) => !before?.peers.some((old) => same(old, peer)))
  const device = wanted.device?.name
  if (!device) {
    return [
      ...gone.map((peer) => `route del ${peer.podCidr} via ${peer.address} dev ${uplink}`),
      ...fresh.map((peer) => `route replace ${peer.podCidr} via ${peer.address} dev ${uplink}`),
    ]
  }
  return [
    ...gone.flatMap((peer) => [
      `route del ${peer.podCidr} dev ${device}`,
      `neigh del ${peer.gateway} dev ${device}`,
    ]),
    ...fresh.flatMap((peer) => [
      `neigh replace ${peer.gateway} lladdr ${peer.mac} dev ${device} nud permanent`,
      `route replace ${peer.podCidr} via ${peer.gateway} dev ${device} onlink`,
    ]),
  ]
}

/** Lines for `bridge -force -batch -`: which machine stands behind which MAC address. */
export function forwardingCommands(before: PodRoutes | undefined, wanted: PodRoutes): string[] {
  const device = wanted.device?.name
  if (!device) return []
  const entry = (peer: PeerRoute): string => `${peer.mac} dev ${device} dst ${peer.address}`
  const entries = new Set(wanted.peers.map(entry))
  const old = new Set((before?.peers ?? []).map(entry))
  return [
    ...[...old].filter((line) => !entries.has(line)).map((line) => `fdb del ${line}`),
    ...[...entries].filter((line) => !old.has(line)).map((line) => `fdb replace ${line} self permanent`),
  ]
}
