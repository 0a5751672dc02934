import { describe, expect, test } from 'vitest'
import { clusterChecks } from '../../src/checks/list.ts'
import { runChecks, waitForChecks } from '../../src/checks/run.ts'
import { silent } from '../../src/events.ts'
import { declare } from '../operations/support.ts'
import { contextOf, healthy, type Seen } from './support.ts'

const results = (seen: Seen) => runChecks(clusterChecks, contextOf(seen))
/** Names and reasons of the checks that did not pass. */
const missing = async (seen: Seen) =>
  (await results(seen)).filter((result) => !result.ok).map(({ name, reason }) => [name, reason])

describe('a healthy cluster', () => {
  test('passes every check, each with a reason', async () => {
    const all = await results(healthy())

    expect(all.filter((result) => !result.ok)).toEqual([])
    expect(all.map((result) => result.reason)).not.toContain('')
    expect(new Set(all.map((result) => result.name)).size).toBe(all.length)
  })
})

describe('each fault is named by its own check', () => {
  const faults: [string, (seen: Seen) => void, string[][]][] = [
    [
      'a machine that is gone',
      (seen) => seen.inventory.machines.pop(),
      [
        ['machines', 'nodes: 0 of 1 runs'],
        ['workers', '0 of 1 machines are there'],
      ],
    ],
    [
      'an apiserver that is not ready',
      (seen) => {
        seen.readyz = '[-]etcd failed'
      },
      [['endpoint', '[-]etcd failed']],
    ],
    [
      'one master whose apiserver does not answer',
      (seen) => {
        seen.silentApiservers['master-b-1'] = 'connect ECONNREFUSED'
      },
      [['apiservers', 'master-b-1: connect ECONNREFUSED']],
    ],
    [
      'a balancer that misses a master',
      (seen) => {
        const target = seen.targets?.[1]
        if (target) target.up = false
      },
      [['balancer', '2 of 3 up, down: master-b-1']],
    ],
    [
      'a master without its taint',
      (seen) => {
        const node = seen.nodes[0]
        if (node) node.spec = {}
      },
      [['masters', 'master-a-1 lacks its taint']],
    ],
    [
      'a master without its label',
      (seen) => {
        const node = seen.nodes[2]
        if (node) node.metadata = { name: 'master-c-1' }
      },
      [['masters', 'master-c-1 lacks its label']],
    ],
    [
      'a worker that is not Ready',
      (seen) => {
        const node = seen.nodes[3]
        if (node) {
          node.status = { conditions: [{ type: 'Ready', status: 'Unknown', message: 'kubelet is silent' }] }
        }
      },
      [['workers', 'nodes-1 is not Ready: kubelet is silent']],
    ],
    ['a machine that is no node yet', (seen) => seen.nodes.pop(), [['workers', 'nodes-1 is no node yet']]],
    [
      'a learner',
      (seen) => {
        const member = seen.main.members[1]
        if (member) member.isLearner = true
      },
      [['etcd-main', 'b is still a learner; 2 of 3 voters']],
    ],
    [
      'a member that does not answer',
      (seen) => {
        const status = seen.events.statuses[2]
        if (status) status.status = undefined
      },
      [['etcd-events', 'c does not answer']],
    ],
    [
      'a member that hears its leader, but is not heard',
      (seen) => {
        const status = seen.main.statuses[1]
        if (status) status.serves = false
      },
      [['etcd-main', 'b answers, but no linearizable read']],
    ],
    [
      'a member that was added and never started',
      (seen) => {
        const member = seen.main.members[0]
        if (member) member.name = ''
      },
      [['etcd-main', '0000000000000001 has not started']],
    ],
    [
      'an alarm',
      (seen) => seen.main.statuses[0]?.status?.errors.push('NOSPACE'),
      [['etcd-main', 'master-a-1: NOSPACE']],
    ],
    [
      'no leader',
      (seen) => {
        for (const { status } of seen.main.statuses) if (status) status.leaderId = '0000000000000000'
      },
      [['etcd-main', 'no leader']],
    ],
    [
      'a member too many',
      (seen) => {
        const member = seen.main.members[0]
        if (member) seen.main.members.push({ ...member, id: '0000000000000009', name: 'd' })
      },
      [['etcd-main', 'd does not answer; 4 of 3 voters']],
    ],
    [
      'a silent etcd',
      (seen) => {
        seen.events = { members: [], statuses: [] }
      },
      [['etcd-events', 'nobody answers']],
    ],
    ['a kube-proxy that is missing', (seen) => seen.pods.pop(), [['kube-proxy', 'nodes-1: no pod yet']]],
    [
      'CoreDNS that is not Available',
      (seen) => {
        seen.coredns = undefined
      },
      [['coredns', 'it is not deployed yet']],
    ],
  ]

  test.each(faults)('%s', async (_, spoil, expected) => {
    const seen = healthy()
    spoil(seen)

    expect(await missing(seen)).toEqual(expected)
  })

  test('a machine that is no node yet says what it waits for', async () => {
    const seen = healthy()
    seen.nodes.pop()
    const at = new Date(Date.now() - 12_000).toISOString()
    seen.heartbeats['nodes-1'] = { machine: 'nodes-1', at, waiting: { join: 'there is no join token' } }

    expect(await missing(seen)).toEqual([
      ['workers', 'nodes-1 is no node yet: it waits for join: there is no join token (12 s ago)'],
    ])
  })

  test('what cannot be asked is a reason, not a crash', async () => {
    const context = { ...contextOf(healthy()), nodes: () => Promise.reject(new Error('no route')) }

    const found = (await runChecks(clusterChecks, context)).filter((result) => !result.ok)

    expect(found.map(({ name, reason }) => [name, reason])).toEqual([
      ['masters', 'no route'],
      ['workers', 'no route'],
    ])
  })
})

describe('what is not asked for', () => {
  test('with a pod network of one’s own, nodes and CoreDNS may wait for it', async () => {
    const seen = healthy()
    seen.declaration = declare({ networking: 'cni' })
    const message = 'container runtime network not ready: cni plugin not initialized'
    for (const node of seen.nodes) node.status = { conditions: [{ type: 'Ready', status: 'False', message }] }
    seen.coredns = { status: { conditions: [{ type: 'Available', status: 'False' }] } }

    expect(await missing(seen)).toEqual([])
  })

  test('a master that is meant to be stopped', async () => {
    const seen = healthy()
    const group = seen.declaration.groups[2]
    if (group) group.spec.size = 0
    seen.inventory.machines = seen.inventory.machines.filter(({ id }) => id !== 'master-c-1')
    seen.targets = seen.targets?.slice(0, 2)

    const silent = seen.main.statuses[2]
    if (silent) silent.status = undefined

    expect(await missing(seen)).toEqual([])
    const main = (await results(seen)).find(({ name }) => name === 'etcd-main')
    expect(main?.reason).toBe('2 of 2 voters, may lose 0')
  })
})

describe('waiting', () => {
  test('ends as soon as all pass', async () => {
    const seen = healthy()
    const coredns = seen.coredns
    seen.coredns = undefined
    setTimeout(() => {
      seen.coredns = coredns
    }, 100)

    const found = await waitForChecks(clusterChecks, contextOf(seen), {
      timeoutMs: 5000,
      report: silent,
      mustPass: true,
    })

    expect(found.every((result) => result.ok)).toBe(true)
  })

  test('is bounded and ends with the last reasons', async () => {
    const seen = healthy()
    seen.coredns = undefined

    const waiting = waitForChecks(clusterChecks, contextOf(seen), {
      timeoutMs: 300,
      report: silent,
      mustPass: true,
    })

    await expect(waiting).rejects.toMatchObject({
      code: 'checks-not-passed',
      exitCode: 3,
      message: 'After 0 s this is still not so:\n  CoreDNS is Available: it is not deployed yet',
    })
  })
})
