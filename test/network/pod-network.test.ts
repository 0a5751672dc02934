import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { renderCniConfig, renderMasquerade } from '../../src/network/cni.ts'
import {
  type Kernel,
  type KernelDevice,
  macOf,
  type NodeNetwork,
  podNetworkCommands,
  wantedRoutes,
} from '../../src/network/pod-network.ts'

const node = (number: number, change: Partial<NodeNetwork> = {}): NodeNetwork => ({
  name: `node-${number}`,
  uid: `0000000${number}-1111-2222-3333-444444444444`,
  address: `10.0.0.${number}`,
  podCidr: `10.244.${number}.0/24`,
  ...change,
})

describe('routes to the other nodes', () => {
  test('vxlan: a device of its own, and each peer through the first address of its range', () => {
    const wanted = wantedRoutes('vxlan', node(1), [node(3), node(1), node(2)])

    expect(wanted.device).toEqual({
      name: 'hf-vxlan',
      mac: '02:00:00:00:01:11',
      local: '10.0.0.1',
      address: '10.244.1.0',
    })
    expect(wanted.peers.map(({ podCidr, address, gateway }) => [podCidr, address, gateway])).toEqual([
      ['10.244.2.0/24', '10.0.0.2', '10.244.2.0'],
      ['10.244.3.0/24', '10.0.0.3', '10.244.3.0'],
    ])
  })

  test('routed: the same peers and no device', () => {
    const wanted = wantedRoutes('routed', node(1), [node(1), node(2)])

    expect(wanted.device).toBeUndefined()
    expect(wanted.peers).toHaveLength(1)
  })

  test('a node without a range or an address yet is left out', () => {
    const nodes = [node(1), node(2, { podCidr: '' }), node(3, { address: '' })]

    expect(wantedRoutes('vxlan', node(1), nodes).peers).toEqual([])
  })

  test('of two that claim one range, none is routed', () => {
    const nodes = [node(1), node(2), node(3, { podCidr: '10.244.2.0/24' })]

    expect(wantedRoutes('vxlan', node(1), nodes).peers).toEqual([])
  })

  test('a MAC address is a locally administered unicast one, made of the UID', () => {
    fc.assert(
      fc.property(fc.uuid(), (uid) => {
        const mac = macOf(uid)

        expect(mac).toMatch(/^02(:[0-9a-f]{2}){5}$/)
        expect(macOf(uid)).toBe(mac)
      }),
      { numRuns: 50 },
    )
  })
})

const uplink = { name: 'eth0', mtu: 1500 }
const nothing: Kernel = { devices: [], routes: [], neighbours: [], forwarding: [] }

/** This node's device as the kernel tells of it. */
const ownDevice = (change: Partial<KernelDevice> = {}): KernelDevice => ({
  ifname: 'hf-vxlan',
  address: '02:00:00:00:01:11',
  mtu: 1450,
  flags: ['BROADCAST', 'MULTICAST', 'UP', 'LOWER_UP'],
  linkinfo: { info_data: { id: 4097, local: '10.0.0.1', link: 'eth0', port: 4789, learning: false } },
  addr_info: [
    { local: '10.244.1.0', prefixlen: 32 },
    { local: 'fe80::ff:fe00:111', prefixlen: 64 },
  ],
  ...change,
})

/** The kernel of node 1 with node 2 as its only peer. */
const inStep: Kernel = {
  devices: [ownDevice()],
  routes: [{ dst: '10.244.2.0/24', gateway: '10.244.2.0', dev: 'hf-vxlan' }],
  neighbours: [{ dst: '10.244.2.0', dev: 'hf-vxlan', lladdr: '02:00:00:00:02:11' }],
  forwarding: [{ mac: '02:00:00:00:02:11', ifname: 'hf-vxlan', dst: '10.0.0.2' }],
}

const setRoute = 'route replace 10.244.2.0/24 via 10.244.2.0 dev hf-vxlan proto 72 onlink'
const setNeighbour = 'neigh replace 10.244.2.0 lladdr 02:00:00:00:02:11 dev hf-vxlan nud permanent'
const setForwarding = 'fdb replace 02:00:00:00:02:11 dev hf-vxlan dst 10.0.0.2 self permanent'
const makeDevice = [
  'link add hf-vxlan address 02:00:00:00:01:11 mtu 1450 type vxlan id 4097 local 10.0.0.1 dev eth0 dstport 4789 nolearning',
  'address replace 10.244.1.0/32 dev hf-vxlan',
  'link set hf-vxlan up',
]

describe('commands for the kernel', () => {
  const vxlanTo = (...peers: NodeNetwork[]) => wantedRoutes('vxlan', node(1), peers)

  test('from nothing', () => {
    expect(podNetworkCommands(nothing, vxlanTo(node(2)), uplink)).toEqual({
      ip: [...makeDevice, setNeighbour, setRoute],
      bridge: [setForwarding],
    })
  })

  test('what is so already needs no command: an agent that starts again cuts nothing', () => {
    expect(podNetworkCommands(inStep, vxlanTo(node(2)), uplink)).toEqual({ ip: [], bridge: [] })
  })

  test.each([
    ['route', { routes: [] }, { ip: [setRoute], bridge: [] }],
    ['neighbour', { neighbours: [] }, { ip: [setNeighbour], bridge: [] }],
    ['forwarding entry', { forwarding: [] }, { ip: [], bridge: [setForwarding] }],
    ['address', { devices: [ownDevice({ addr_info: [] })] }, { ip: [makeDevice[1]], bridge: [] }],
    ['device that is up', { devices: [ownDevice({ flags: [] })] }, { ip: [makeDevice[2]], bridge: [] }],
  ])('a %s that somebody took away comes back, and nothing else is touched', (_, change, commands) => {
    expect(podNetworkCommands({ ...inStep, ...change }, vxlanTo(node(2)), uplink)).toEqual(commands)
  })

  const data = ownDevice().linkinfo.info_data
  test.each([
    ['MAC address', ownDevice({ address: '02:00:00:00:09:99' })],
    ['MTU', ownDevice({ mtu: 1400 })],
    ['id', ownDevice({ linkinfo: { info_data: { ...data, id: 4098 } } })],
    ['port', ownDevice({ linkinfo: { info_data: { ...data, port: 8472 } } })],
    ['local address', ownDevice({ linkinfo: { info_data: { ...data, local: '10.0.0.99' } } })],
  ])('a device with another %s is made anew, and all that goes with it is set again', (_, device) => {
    expect(podNetworkCommands({ ...inStep, devices: [device] }, vxlanTo(node(2)), uplink)).toEqual({
      ip: ['link del hf-vxlan', ...makeDevice, setNeighbour, setRoute],
      bridge: [setForwarding],
    })
  })

  test('what belongs to other devices is let be', () => {
    const others: Kernel = {
      devices: [ownDevice(), ownDevice({ ifname: 'flannel.1', address: '02:00:00:00:09:99' })],
      routes: inStep.routes,
      neighbours: [...inStep.neighbours, { dst: '10.0.0.9', dev: 'eth0', lladdr: '02:00:00:00:09:99' }],
      forwarding: [...inStep.forwarding, { mac: '33:33:00:00:00:01', ifname: 'eth0' }],
    }

    expect(podNetworkCommands(others, vxlanTo(node(2)), uplink)).toEqual({ ip: [], bridge: [] })
  })

  test('a dead node goes before its range is given to another', () => {
    const { ip, bridge } = podNetworkCommands(inStep, vxlanTo(node(3, { podCidr: '10.244.2.0/24' })), uplink)

    expect(ip).toEqual([
      'neigh del 10.244.2.0 lladdr 02:00:00:00:02:11 dev hf-vxlan nud permanent',
      'neigh replace 10.244.2.0 lladdr 02:00:00:00:03:11 dev hf-vxlan nud permanent',
    ])
    expect(bridge).toEqual([
      'fdb del 02:00:00:00:02:11 dev hf-vxlan dst 10.0.0.2 self permanent',
      'fdb replace 02:00:00:00:03:11 dev hf-vxlan dst 10.0.0.3 self permanent',
    ])
  })

  test('routed goes through the peer itself; a node that died unseen leaves no route behind', () => {
    const wanted = wantedRoutes('routed', node(1), [node(2)])
    const kernel = { ...nothing, routes: [{ dst: '10.244.7.0/24', gateway: '10.0.0.7', dev: 'eth0' }] }

    expect(podNetworkCommands(kernel, wanted, uplink)).toEqual({
      ip: [
        'route del 10.244.7.0/24 via 10.0.0.7 dev eth0 proto 72',
        'route replace 10.244.2.0/24 via 10.0.0.2 dev eth0 proto 72',
      ],
      bridge: [],
    })
  })

  test('from whatever is there they lead to what is wanted, and then there is nothing left to do', () => {
    const few = fc.integer({ min: 2, max: 5 })
    const device = fc.constantFrom('hf-vxlan', 'eth0')
    const mac = few.map((number) => macOf(node(number).uid))
    const kernels: fc.Arbitrary<Kernel> = fc.record({
      devices: fc.constantFrom([], [ownDevice()], [ownDevice({ mtu: 1400 })]),
      routes: fc.array(
        fc.record({
          dst: few.map((range) => `10.244.${range}.0/24`),
          gateway: fc.oneof(
            few.map((range) => `10.244.${range}.0`),
            few.map((number) => `10.0.0.${number}`),
          ),
          dev: device,
        }),
      ),
      neighbours: fc.uniqueArray(
        fc.record({ dst: few.map((range) => `10.244.${range}.0`), dev: device, lladdr: mac }),
        { selector: ({ dst, dev }) => `${dst} ${dev}` },
      ),
      forwarding: fc.array(fc.record({ mac, ifname: device, dst: few.map((number) => `10.0.0.${number}`) })),
    })
    const peers = fc.array(fc.record({ uid: few, range: few }))
    const kind = fc.constantFrom('vxlan' as const, 'routed' as const)

    fc.assert(
      fc.property(kind, peers, kernels, (how, list, there) => {
        const nodes = list.map(({ uid, range }) => node(uid, { podCidr: `10.244.${range}.0/24` }))
        const wanted = wantedRoutes(how, node(1), nodes)

        const before = there.devices.length > 0 ? there : withoutDevice(there, 'hf-vxlan')

        const after = carriedOut(before, podNetworkCommands(before, wanted, uplink))

        expect(podNetworkCommands(after, wanted, uplink)).toEqual({ ip: [], bridge: [] })
      }),
      { numRuns: 300 },
    )
  })

  /** A dumb kernel: one route a destination once it is replaced, one neighbour an address and device. */
  function carriedOut(before: Kernel, { ip, bridge }: { ip: string[]; bridge: string[] }): Kernel {
    let { devices, routes, neighbours, forwarding } = before
    for (const line of [...ip, ...bridge]) {
      const [what = '', verb = '', first = '', ...rest] = line.split(' ')
      const wordAfter = (word: string): string => rest[rest.indexOf(word) + 1] ?? ''
      const dev = wordAfter('dev')
      if (what === 'link' && verb === 'del') {
        const left = withoutDevice({ devices, routes, neighbours, forwarding }, first)
        ;({ devices, routes, neighbours, forwarding } = left)
      } else if (what === 'link' && verb === 'add') {
        expect(devices).toEqual([])
        devices = [ownDevice()]
      } else if (what === 'route') {
        const gateway = wordAfter('via')
        routes = routes.filter(
          (route) =>
            route.dst !== first || (verb === 'del' && (route.gateway !== gateway || route.dev !== dev)),
        )
        if (verb === 'replace') routes = [...routes, { dst: first, gateway, dev }]
      } else if (what === 'neigh') {
        neighbours = neighbours.filter((neighbour) => neighbour.dst !== first || neighbour.dev !== dev)
        if (verb === 'replace') neighbours = [...neighbours, { dst: first, dev, lladdr: wordAfter('lladdr') }]
      } else if (what === 'fdb') {
        forwarding = forwarding.filter(
          (entry) => entry.mac !== first || entry.ifname !== dev || entry.dst !== wordAfter('dst'),
        )
        if (verb === 'replace')
          forwarding = [...forwarding, { mac: first, ifname: dev, dst: wordAfter('dst') }]
      }
    }
    return { devices, routes, neighbours, forwarding }
  }

  const withoutDevice = (kernel: Kernel, name: string): Kernel => ({
    devices: kernel.devices.filter(({ ifname }) => ifname !== name),
    routes: kernel.routes.filter(({ dev }) => dev !== name),
    neighbours: kernel.neighbours.filter(({ dev }) => dev !== name),
    forwarding: kernel.forwarding.filter(({ ifname }) => ifname !== name),
  })
})

describe('files for the plugins', () => {
  test('a tunnel takes 50 bytes of each packet', () => {
    const mtu = (kind: 'vxlan' | 'routed') =>
      JSON.parse(renderCniConfig(kind, '10.244.1.0/24', 1500)).plugins[0].mtu

    expect(mtu('vxlan')).toBe(1450)
    expect(mtu('routed')).toBe(1500)
  })

  test('addresses are of the node’s own range, and host ports work', () => {
    const config = JSON.parse(renderCniConfig('vxlan', '10.244.1.0/24', 1500))

    expect(config.plugins.map(({ type }: { type: string }) => type)).toEqual(['bridge', 'portmap'])
    expect(config.plugins[0].ipam.ranges).toEqual([[{ subnet: '10.244.1.0/24' }]])
    expect(config.plugins[0].hairpinMode).toBe(true)
  })

  test('masquerading leaves traffic among pods alone, and can be loaded again', () => {
    const rules = renderMasquerade('10.244.0.0/16')

    expect(rules).toContain('ip saddr 10.244.0.0/16 ip daddr != 10.244.0.0/16')
    expect(rules.indexOf('delete table ip holdfast')).toBeLessThan(rules.indexOf('table ip holdfast {'))
    expect(rules.startsWith('table ip holdfast\n')).toBe(true)
  })
})
