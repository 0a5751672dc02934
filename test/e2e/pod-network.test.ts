import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'

interface Look {
  index?: number
  routes: string[]
  neighbours: string[]
  forwarding: string[]
  address: boolean
  masquerade: boolean
  cni: boolean
}

const script = join(import.meta.dirname, 'support/pod-network.ts')

async function podNetwork(kind: 'vxlan' | 'routed'): Promise<Record<string, Look>> {
  const inside = 'mount -t tmpfs tmpfs /etc && mount -t sysfs sysfs /sys && exec "$@"'
  const { stdout } = await promisify(execFile)(
    'unshare',
    ['--net', '--mount', 'sh', '-c', inside, 'sh', process.execPath, script, kind],
    { timeout: 60_000, killSignal: 'SIGKILL' },
  )
  return JSON.parse(stdout)
}

/** What somebody else set, and nobody touches. */
const before = '10.9.0.0/24 dev eth0 proto kernel scope link src 10.9.0.1'
const behind = '192.168.7.0/24 via 10.9.0.77 dev eth0'
const stranger = '10.9.0.77 dev eth0 lladdr 02:00:00:00:00:77 PERMANENT'

describe.runIf(process.getuid?.() === 0)('the pod network of a machine', () => {
  test('vxlan: the device stays, what was taken away comes back, what is stale goes', async () => {
    const seen = await podNetwork('vxlan')

    const peers = (...numbers: number[]): Look => ({
      index: expect.any(Number),
      routes: [
        ...numbers.map((n) => `10.244.${n}.0/24 via 10.244.${n}.0 dev hf-vxlan proto 72 onlink`),
        before,
        behind,
      ],
      neighbours: [
        ...numbers.map((n) => `10.244.${n}.0 dev hf-vxlan lladdr 02:00:00:00:0${n}:00 PERMANENT`),
        stranger,
      ],
      forwarding: numbers.map((n) => `02:00:00:00:0${n}:00 dev hf-vxlan dst 10.9.0.${n} self permanent`),
      address: true,
      masquerade: true,
      cni: true,
    })
    const { first } = seen
    expect(first).toEqual(peers(2, 3))
    expect(seen['agent started again']).toEqual(first)
    expect(seen['entries removed']).toEqual(first)
    expect(seen['device down']).toEqual(first)
    const removed = seen['device removed']
    expect(removed).toEqual(peers(2, 3))
    expect(removed?.index).not.toBe(first?.index)
    expect(seen['failing']).toEqual({ ...removed, cni: false, said: expect.stringContaining('/etc/cni') })
    expect(seen['node gone while no agent ran']).toEqual({ ...peers(3, 4), index: removed?.index })
    expect(seen['node gone']).toEqual({ ...peers(4), index: removed?.index })
  })

  test('routed: the same with routes alone', async () => {
    const seen = await podNetwork('routed')

    const peers = (...numbers: number[]): Look => ({
      routes: [...numbers.map((n) => `10.244.${n}.0/24 via 10.9.0.${n} dev eth0 proto 72`), before, behind],
      neighbours: [stranger],
      forwarding: [],
      address: false,
      masquerade: true,
      cni: true,
    })
    expect(seen['first']).toEqual(peers(2, 3))
    expect(seen['agent started again']).toEqual(peers(2, 3))
    expect(seen['entries removed']).toEqual(peers(2, 3))
    expect(seen['failing']).toMatchObject({ ...peers(2, 3), cni: false })
    expect(seen['node gone while no agent ran']).toEqual(peers(3, 4))
    expect(seen['node gone']).toEqual(peers(4))
  })
})
