import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  chooseRange,
  deleteNetwork,
  ensureNetwork,
  networkDevice,
  networkExists,
} from '../../../src/clouds/local/network.ts'
import { forwardDrops, nftTable, ownIptablesRules } from '../../../src/clouds/local/network-rules.ts'
import type { LocalCluster } from '../../../src/clouds/local/parts.ts'
import { hostRoutes, overlaps, parseRoutes, rangeOf } from '../../../src/clouds/local/routes.ts'
import { type Home, resolveHome } from '../../../src/home.ts'
import { localHost } from '../../../src/hosts/local.ts'

describe('routes', () => {
  test('are read from ip with their lengths and devices; default and broadcast are none', () => {
    const json = JSON.stringify([
      { dst: 'default', gateway: '192.0.2.1', dev: 'eth0' },
      { dst: '192.0.2.0/24', dev: 'eth0' },
      { type: 'broadcast', dst: '192.0.2.255', dev: 'eth0', table: 'local' },
      { type: 'local', dst: '10.9.9.9', dev: 'lo', table: 'local' },
      { type: 'blackhole', dst: '10.244.0.0/16' },
      { dst: '10.50.0.0/16', nexthops: [{ dev: 'wg0' }, { dev: 'wg1' }] },
    ])

    expect(parseRoutes(json)).toEqual([
      { cidr: '192.0.2.0/24', device: 'eth0' },
      { cidr: '10.9.9.9/32', device: 'lo' },
      { cidr: '10.244.0.0/16', device: 'blackhole' },
      { cidr: '10.50.0.0/16', device: 'wg0' },
    ])
    expect(parseRoutes('')).toEqual([])
  })

  test.each([
    ['10.0.0.0/8', '10.213.0.0/24', true],
    ['10.213.0.0/24', '10.213.1.0/24', false],
    ['10.213.0.255/32', '10.213.0.0/24', true],
    ['0.0.0.0/0', '192.168.1.0/24', true],
    ['128.0.0.0/1', '10.0.0.0/8', false],
  ])('%s and %s overlap: %s', (one, other, expected) => {
    expect([overlaps(one, other), overlaps(other, one)]).toEqual([expected, expected])
  })

  test('a chosen range overlaps no route, or there is an error', () => {
    const route = fc.record({
      cidr: fc
        .tuple(fc.constantFrom(10, 36, 37, 208, 213), fc.nat(255), fc.integer({ min: 12, max: 32 }))
        .map(([b, c, n]) => `10.${b}.${c}.0/${n}`),
      device: fc.constant('x'),
    })
    fc.assert(
      fc.property(fc.array(route, { maxLength: 40 }), fc.array(route, { maxLength: 2 }), (routes, ranges) => {
        const taken = ranges.map(({ cidr }) => cidr)
        let chosen: string
        try {
          chosen = chooseRange(routes, taken)
        } catch (error) {
          expect(error).toMatchObject({ code: 'network-full' })
          return
        }
        expect([...routes, ...ranges].filter(({ cidr }) => overlaps(cidr, chosen))).toEqual([])
        expect(rangeOf(chosen).last - rangeOf(chosen).first).toBe(255)
      }),
    )
  })
})

test('with pods all over the first pool the machines come from the second', () => {
  expect(chooseRange([], ['10.213.0.0/16', '10.96.0.0/12'])).toBe('10.37.0.0/24')
  expect(chooseRange([], ['10.213.0.0/23'])).toBe('10.213.2.0/24')
  expect(() => chooseRange([], ['10.0.0.0/8'])).toThrow(expect.objectContaining({ code: 'network-full' }))
})

describe('rules of the host', () => {
  test.each([
    ['-P FORWARD ACCEPT', false],
    ['-P FORWARD DROP\n-A FORWARD -j DOCKER-USER', true],
    ['-P FORWARD ACCEPT\n-A FORWARD -j REJECT --reject-with icmp-host-prohibited', true],
    ['', false],
  ])('would drop the bridge: %j → %s', (rules, expected) => {
    expect(forwardDrops(rules)).toBe(expected)
  })

  test('ours are found by their comment, as the words that delete them', () => {
    const rules = [
      '-P FORWARD DROP',
      '-A FORWARD -i hf-aaaaaa-0 -o hf-aaaaaa-0 -m comment --comment "holdfast hf-aaaaaa-0" -j ACCEPT',
      '-A FORWARD -i hf-aaaaaa-00 -m comment --comment "holdfast hf-aaaaaa-00" -j ACCEPT',
      '-A FORWARD -i docker0 -j ACCEPT',
    ].join('\n')

    expect(ownIptablesRules(rules, 'hf-aaaaaa-0')).toEqual([
      'FORWARD -i hf-aaaaaa-0 -o hf-aaaaaa-0 -m comment --comment'
        .split(' ')
        .concat('holdfast hf-aaaaaa-0', '-j', 'ACCEPT'),
    ])
  })

  test('without egress everything between the bridge and elsewhere is dropped, and nothing is masqueraded', () => {
    const none = nftTable('hf-aaaaaa-0', 'none')
    const nat = nftTable('hf-aaaaaa-0', 'nat')

    expect(none).toContain('iifname "hf-aaaaaa-0" drop')
    expect(none).toContain('oifname "hf-aaaaaa-0" drop')
    expect(none).not.toContain('masquerade')
    expect(nat).toContain('iifname "hf-aaaaaa-0" oifname != "hf-aaaaaa-0" masquerade')
    expect(nat).not.toContain('drop')
  })
})

const possible = process.getuid?.() === 0 && existsSync('/usr/sbin/nft')

describe.skipIf(!possible)('a real bridge', () => {
  let folder: string
  let home: Home
  const cluster = (index: number): LocalCluster => ({ name: `c${index}`, index, groups: {} })
  const seen = async () => {
    const [links, rules] = await Promise.all([
      localHost().run(['ip', '-brief', 'link']),
      localHost().run(['nft', 'list', 'tables']),
    ])
    // Others use the same kernel: only what carries this home's prefix counts.
    return `${links.stdout}${rules.stdout}`.split('\n').filter((line) => line.includes(home.prefix))
  }

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hf-network-'))
    home = resolveHome({ HOLDFAST_HOME: folder })
  })
  afterEach(async () => {
    for (const index of [0, 1]) await deleteNetwork(home, cluster(index))
    await rm(folder, { recursive: true, force: true })
  })

  test('is made once, completed when half done, and leaves nothing', async () => {
    const made = await ensureNetwork(home, cluster(0), { egress: 'none' })

    expect(made.device).toBe(networkDevice(home, { index: 0 }))
    expect(made.device.length).toBeLessThanOrEqual(15)
    expect(overlaps(made.cidr, '10.213.0.0/16')).toBe(true)
    expect(await networkExists(home, cluster(0))).toBe(true)
    expect(await hostRoutes()).toContainEqual({ cidr: made.cidr, device: made.device })

    await localHost().run(['ip', 'address', 'flush', 'dev', made.device])
    await localHost().run(['nft', 'delete', 'table', 'inet', made.device])
    expect(await networkExists(home, cluster(0))).toBe(false)
    const again = await ensureNetwork(home, { ...cluster(0), network: made }, { egress: 'none' })

    expect(again).toEqual(made)
    expect(await seen()).toHaveLength(2)

    await deleteNetwork(home, cluster(0))
    await deleteNetwork(home, cluster(0))
    expect(await seen()).toEqual([])
    expect(await networkExists(home, cluster(0))).toBe(false)
  })

  test('two at the same moment get different ranges; a used range is refused by its route', async () => {
    const [one, two] = await Promise.all([
      ensureNetwork(home, cluster(0), { egress: 'none' }),
      ensureNetwork(home, cluster(1), { egress: 'none' }),
    ])

    expect(overlaps(one.cidr, two.cidr)).toBe(false)
    await deleteNetwork(home, cluster(1))
    const wanted = ensureNetwork(home, cluster(1), { cidr: one.cidr, egress: 'none' })
    await expect(wanted).rejects.toMatchObject({
      code: 'range-overlap',
      message: expect.stringContaining(`route ${one.cidr} (${one.device})`),
    })
    expect(await networkExists(home, cluster(1))).toBe(false)
    const inPods = ensureNetwork(home, cluster(1), { cidr: two.cidr, taken: [two.cidr], egress: 'none' })
    await expect(inPods).rejects.toMatchObject({
      code: 'range-overlap',
      message: expect.stringContaining('its pods or services'),
    })
    const other = ensureNetwork(home, cluster(0), { cidr: two.cidr, egress: 'none' })
    await expect(other).rejects.toMatchObject({ code: 'network-differs' })
  })
})
