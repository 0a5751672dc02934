import { expect, test } from 'vitest'
import { parseProgress, watchStall } from '../../src/agent/etcd-stall.ts'
import type { Progress } from '../../src/quorum/stall.ts'

/** A member that can be looked at, second by second. */
function member() {
  let nowMs = 0
  let progress: Progress | undefined = { applied: 7, busy: false }
  const watch = watchStall(
    async () => progress,
    () => nowMs,
  )
  const look = (seconds: number, seen: Partial<Parameters<typeof watch.look>[0]> = {}) => {
    nowMs = seconds * 1000
    return watch.look({ healthy: false, quorum: true, others: 7, ...seen })
  }
  return {
    look,
    restarted: watch.restarted,
    says(said: Progress | undefined) {
      progress = said
    },
  }
}

test('a member that serves nothing and applies nothing is stalled since it was first seen so', async () => {
  const { look } = member()

  expect(await look(10)).toEqual({ ms: 0, restarts: 0, silent: false, follows: false })
  expect(await look(45)).toEqual({ ms: 35_000, restarts: 0, silent: false, follows: false })
})

test.each<[string, Parameters<ReturnType<typeof member>['look']>[1], Progress | undefined]>([
  ['serves', { healthy: true, quorum: true }, { applied: 7, busy: false }],
  ['has nobody to follow', { healthy: false, quorum: false }, { applied: 7, busy: false }],
  ['takes over a snapshot, or defragments', undefined, { applied: 7, busy: true }],
])('one that %s is not stalled, and time counts from anew', async (_, seen, said) => {
  const { look, says } = member()
  await look(0)
  says(said)

  expect(await look(60, seen)).toBeUndefined()

  says({ applied: 7, busy: false })
  expect(await look(61)).toEqual({ ms: 0, restarts: 0, silent: false, follows: false })
})

test('one that says nothing loads its data, or hangs: that is told apart', async () => {
  const { look, says } = member()
  await look(0)
  says(undefined)

  expect(await look(60)).toEqual({ ms: 0, restarts: 0, silent: true, follows: false })
  expect(await look(90)).toEqual({ ms: 30_000, restarts: 0, silent: true, follows: false })

  says({ applied: 7, busy: false })
  expect(await look(91)).toEqual({ ms: 0, restarts: 0, silent: false, follows: false })
})

test('one that is far behind and comes further is on its way', async () => {
  const { look, says } = member()
  await look(0, { others: 9_000 })
  says({ applied: 4_000, busy: false })

  expect(await look(60, { others: 9_000 })).toEqual({ ms: 0, restarts: 0, silent: false, follows: false })
  expect(await look(90, { others: 9_000 })).toEqual({
    ms: 30_000,
    restarts: 0,
    silent: false,
    follows: false,
  })
})

test('one that takes in its own log after a restart, but is cut off, follows nobody', async () => {
  const { look, says } = member()
  await look(0, { others: 900 })
  says({ applied: 700, busy: false })

  expect(await look(40, { others: 950 })).toMatchObject({ ms: 40_000, follows: false })
})

test('one that keeps up with the others, and yet serves nothing, is not', async () => {
  const { look, says } = member()
  await look(0)
  says({ applied: 8, busy: false })
  await look(20, { others: 8 })
  says({ applied: 700, busy: false })

  expect(await look(40, { others: 900 })).toEqual({ ms: 40_000, restarts: 0, silent: false, follows: true })
})

test('restarts count until it serves again', async () => {
  const { look, restarted } = member()
  await look(0)
  restarted()
  await look(40)
  restarted()

  expect(await look(80)).toEqual({ ms: 0, restarts: 2, silent: false, follows: false })
  expect(await look(90)).toEqual({ ms: 10_000, restarts: 2, silent: false, follows: false })

  await look(95, { healthy: true, quorum: true })
  expect(await look(96)).toEqual({ ms: 0, restarts: 0, silent: false, follows: false })
})

test('progress is read from what etcd says about itself', () => {
  const metrics = [
    '# TYPE etcd_server_proposals_applied_total gauge',
    'etcd_server_proposals_applied_total 12345',
    'etcd_network_snapshot_receive_inflights_total{From="8e9e05c52164694d"} 0',
    'etcd_server_snapshot_apply_in_progress_total 0',
    'etcd_disk_defrag_inflight 0',
  ]

  expect(parseProgress(metrics.join('\n'))).toEqual({ applied: 12345, busy: false })
  for (const [index, line] of metrics.entries()) {
    if (!line.endsWith(' 0')) continue
    const one = metrics.with(index, line.replace(/0$/, '1'))
    expect(parseProgress(one.join('\n'))).toEqual({ applied: 12345, busy: true })
  }
  expect(parseProgress('')).toBeUndefined()
  expect(parseProgress('etcd_server_proposals_applied_total 1.2345e+06')?.applied).toBe(1_234_500)
})
