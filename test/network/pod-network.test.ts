import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { renderCniConfig, renderMasquerade } from '../../src/network/cni.ts'
import {
  forwardingCommands,
  macOf,
  type NodeNetwork,
  type PodRoutes,
  routeCommands,
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

describe('commands for the kernel', () => {
  test('from nothing', () => {
    const wanted = wantedRoutes('vxlan', node(1), [node(2)])

    expect(routeCommands(undefined, wanted, 'eth0')).toEqual([
      'neigh replace 10.244.2.0 lladdr 02:00:00:00:02:11 dev hf-vxlan nud permanent',
      'route replace 10.244.2.0/24 via 10.244.2.0 dev hf-vxlan onlink',
    ])
    expect(forwardingCommands(undefined, wanted)).toEqual([
      'fdb replace 02:00:00:00:02:11 dev hf-vxlan dst 10.0.0.2 self permanent',
    ])
  })

  test('a dead node goes before its range is given to another', () => {
    const heir = node(3, { podCidr: '10.244.2.0/24' })
    const before = wantedRoutes('vxlan', node(1), [node(2)])
    const wanted = wantedRoutes('vxlan', node(1), [heir])

    const routes = routeCommands(before, wanted, 'eth0')

    expect(routes.map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual([
      'route del',
      'neigh del',
      'neigh replace',
      'route replace',
    ])
    expect(forwardingCommands(before, wanted)[0]).toMatch(/^fdb del 02:00:00:00:02:11 .* dst 10\.0\.0\.2$/)
  })

  test('routed goes through the peer itself', () => {
    const wanted = wantedRoutes('routed', node(1), [node(2)])

    expect(routeCommands(undefined, wanted, 'eth0')).toEqual([
      'route replace 10.244.2.0/24 via 10.0.0.2 dev eth0',
    ])
    expect(forwardingCommands(undefined, wanted)).toEqual([])
  })

  test('what is so already needs no command; carried out, they lead to what is wanted', () => {
    const nodes = fc.array(
      fc.record({ uid: fc.integer({ min: 2, max: 9 }), range: fc.integer({ min: 2, max: 9 }) }),
    )
    const toNodes = (list: { uid: number; range: number }[]): NodeNetwork[] =>
      list.map(({ uid, range }) => node(uid, { podCidr: `10.244.${range}.0/24` }))
    const kind = fc.constantFrom('vxlan' as const, 'routed' as const)

    fc.assert(
      fc.property(kind, nodes, nodes, (how, first, second) => {
        const before = wantedRoutes(how, node(1), toNodes(first))
        const wanted = wantedRoutes(how, node(1), toNodes(second))

        expect(routeCommands(wanted, wanted, 'eth0')).toEqual([])
        expect(forwardingCommands(wanted, wanted)).toEqual([])
        const kernel = new Set(carriedOut(new Set(), undefined, before))
        expect(carriedOut(kernel, before, wanted)).toEqual(carriedOut(new Set(), undefined, wanted))
      }),
      { numRuns: 100 },
    )
  })

  /** A dumb kernel: what is replaced is there, what is deleted is not. */
  function carriedOut(kernel: Set<string>, before: PodRoutes | undefined, wanted: PodRoutes): string[] {
    const there = new Map([...kernel].map((entry) => [entry.split(' = ')[0] ?? '', entry]))
    for (const line of [...routeCommands(before, wanted, 'eth0'), ...forwardingCommands(before, wanted)]) {
      const [what = '', verb = '', ...rest] = line.split(' ')
      // Forwarding entries of one MAC to two machines are two entries; routes and neighbours have one each.
      const key = what === 'fdb' ? `fdb ${rest.slice(0, 5).join(' ')}` : `${what} ${rest[0]}`
      if (verb === 'del') there.delete(key)
      else there.set(key, `${key} = ${rest.join(' ')}`)
    }
    return [...there.values()].sort()
  }
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
