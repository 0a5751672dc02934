import { describe, expect, test } from 'vitest'
import { ports } from '../../src/constants.ts'
import { type MemberFlags, memberFlags } from '../../src/etcd/member-flags.ts'
import { podName, renderEtcdPod } from '../../src/etcd/static-pod.ts'

const member = (change: Partial<MemberFlags> = {}): MemberFlags => ({
  cluster: 'demo',
  etcd: 'main',
  seat: 'a',
  address: '10.0.0.1',
  dataDir: '/var/lib/etcd',
  pkiDir: '/etc/kubernetes/pki/etcd',
  quotaBytes: 2 ** 31,
  token: 'u/1/1',
  initialCluster: { b: 'https://b.main.demo.internal:2380', a: 'https://a.main.demo.internal:2380' },
  initialState: 'existing',
  ...change,
})

const flag = (flags: readonly string[], name: string): string | undefined =>
  flags.find((one) => one.startsWith(`--${name}=`))?.slice(name.length + 3)

const podOf = (etcd: 'main' | 'events') =>
  JSON.parse(
    renderEtcdPod({
      image: 'registry.k8s.io/etcd:3.6.8-0',
      member: member({ etcd }),
      hostDataDir: '/var/lib/holdfast/volumes/main/cid-mid',
      hostPkiDir: '/etc/kubernetes/pki/etcd',
    }),
  )

/**
 * What kubelet gives a static pod of one container, on a machine of 8 GiB: GetContainerOOMScoreAdjust in
 * k8s.io/kubernetes pkg/kubelet/qos/policy.go. The higher, the sooner it is ended.
 */
function oomScoreOf(etcd: 'main' | 'events'): number {
  const { priorityClassName, containers } = podOf(etcd).spec
  const { requests, limits } = containers[0].resources
  if (priorityClassName === 'system-node-critical' || limits) return -997
  const mebibytes = Number(/^(\d+)Mi$/.exec(requests.memory)?.[1])
  return Math.max(3, Math.min(999, 1000 - Math.floor((1000 * mebibytes) / 8192)))
}

describe('flags of a member', () => {
  test('peers are names, so that addresses may change', () => {
    const flags = memberFlags(member())

    expect(flag(flags, 'initial-advertise-peer-urls')).toBe('https://a.main.demo.internal:2380')
    expect(flag(flags, 'initial-cluster')).toBe(
      'a=https://a.main.demo.internal:2380,b=https://b.main.demo.internal:2380',
    )
    expect(flag(flags, 'advertise-client-urls')).toBe('https://a.main.demo.internal:2379')
    expect(flag(flags, 'name')).toBe('a')
  })

  test('everybody needs a certificate, except for metrics on the loopback', () => {
    const flags = memberFlags(member())

    expect(flags).toContain('--client-cert-auth=true')
    expect(flags).toContain('--peer-client-cert-auth=true')
    for (const name of ['listen-client-urls', 'listen-peer-urls']) {
      for (const url of flag(flags, name)?.split(',') ?? ['missing']) expect(url).toMatch(/^https:/)
    }
    expect(flag(flags, 'listen-metrics-urls')).toBe('http://127.0.0.1:2381')
  })

  test('writes reach the disk and membership changes are checked', () => {
    const flags = memberFlags(member())

    expect(flags.join(' ')).not.toMatch(/unsafe|no-fsync|force-new-cluster/)
    expect(flags).toContain('--strict-reconfig-check=true')
    expect(flag(flags, 'quota-backend-bytes')).toBe('2147483648')
  })

  test('both clusters fit on one machine', () => {
    const listens = (etcd: 'main' | 'events'): string[] =>
      memberFlags(member({ etcd })).flatMap((one) =>
        one.startsWith('--listen') ? one.replace(/^[^=]*=/, '').split(',') : [],
      )

    expect(listens('main').filter((url) => listens('events').includes(url))).toEqual([])
  })

  test('no flag is given twice', () => {
    const names = memberFlags(member()).map((one) => one.split('=')[0])

    expect(new Set(names).size).toBe(names.length)
  })
})

describe('the static pod', () => {
  test('does not start where the data folder is missing', () => {
    const { volumes } = podOf('main').spec

    expect(volumes).toContainEqual({
      name: 'data',
      hostPath: { path: '/var/lib/holdfast/volumes/main/cid-mid', type: 'Directory' },
    })
    for (const { hostPath } of volumes) expect(['Directory', 'File']).toContain(hostPath.type)
  })

  test('never founds', () => {
    const { command } = podOf('main').spec.containers[0]

    expect(command).toContain('--initial-cluster-state=existing')
    expect(command.join(' ')).not.toContain('=new')
  })

  test('sees the machine’s own hosts file, which names the seats', () => {
    const [container] = podOf('main').spec.containers

    expect(container.volumeMounts).toContainEqual({ name: 'hosts', mountPath: '/etc/hosts', readOnly: true })
    expect(container.volumeMounts).toContainEqual({ name: 'data', mountPath: '/var/lib/etcd' })
    expect(podOf('main').spec.hostNetwork).toBe(true)
  })

  test('needs no registry', () => {
    expect(podOf('main').spec.containers[0].imagePullPolicy).toBe('IfNotPresent')
  })

  test('out of memory, the kernel ends events before main', () => {
    expect(oomScoreOf('main')).toBe(-997)
    expect(oomScoreOf('events')).toBeGreaterThan(900)
  })

  test.each(['main', 'events'] as const)('%s is probed on its own metrics port', (etcd) => {
    const [container] = podOf(etcd).spec.containers

    for (const probe of ['livenessProbe', 'readinessProbe', 'startupProbe']) {
      expect(container[probe].httpGet).toMatchObject({ host: '127.0.0.1', port: ports.etcd[etcd].metrics })
    }
    expect(podOf(etcd).metadata.name).toBe(podName(etcd))
  })
})
