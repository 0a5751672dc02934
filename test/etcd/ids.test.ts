import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { clusterId, idFromWire, idToWire, memberId } from '../../src/etcd/ids.ts'

describe('etcd ids', () => {
  // The ids of every etcd that is started with its defaults; test/e2e/etcd-client.test.ts asks a real one.
  test('of founders are a function of peer URLs and token', () => {
    expect(memberId(['http://localhost:2380'], 'etcd-cluster')).toBe('8e9e05c52164694d')
    expect(clusterId(['8e9e05c52164694d'])).toBe('cdf818194e3a8c32')
  })

  test('do not depend on the order of URLs or members', () => {
    fc.assert(
      fc.property(fc.array(fc.webUrl(), { minLength: 1, maxLength: 4 }), fc.string(), (urls, token) => {
        const ids = urls.map((url) => memberId([url], token))

        expect(memberId(urls.toReversed(), token)).toBe(memberId(urls, token))
        expect(clusterId(ids.toReversed())).toBe(clusterId(ids))
      }),
      { numRuns: 50 },
    )
  })

  test('survive the wire, whatever their size', () => {
    expect(idFromWire('10276657743932975437')).toBe('8e9e05c52164694d')
    expect(idFromWire(undefined)).toBe('0000000000000000')
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (id) => {
        const hex = idFromWire(String(id))

        expect(hex).toMatch(/^[0-9a-f]{16}$/)
        expect(idToWire(hex)).toBe(String(id))
      }),
    )
  })
})
