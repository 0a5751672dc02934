import { afterEach, describe, expect, it } from 'vitest'
import type { DrillMoment } from '../../src/drills/drill.ts'
import { killMaster } from '../../src/drills/kill-master.ts'
import { silent } from '../../src/events.ts'
import { memberId, type StandInCluster, startStandInCluster } from './stand-in-cluster.ts'

const clusters: StandInCluster[] = []

async function begin(): Promise<StandInCluster> {
  const cluster = await startStandInCluster()
  clusters.push(cluster)
  return cluster
}

afterEach(async () => {
  for (const cluster of clusters.splice(0)) await cluster.close()
})

const idOfSeat = (cluster: StandInCluster, seat: string): string =>
  cluster.inventory.machines.find((machine) => machine.group === `master-${seat}`)?.id ?? ''

describe('kill-master', () => {
  it('kills the leader of main, waits for its successor, and finds nothing lost', async () => {
    const cluster = await begin()
    const leader = idOfSeat(cluster, 'b')
    cluster.outage = { behaviour: 'error', forMs: 150 }
    const moments: DrillMoment[] = []

    const report = await killMaster(
      { ...cluster.context, watch: (moment) => void moments.push(moment) },
      { which: 'leader' },
      silent,
    )

    expect(report).toMatchObject({ machine: leader, leaderBefore: leader, seat: 'b', zone: 'zone-b' })
    expect(report.judgement).toEqual({ passed: true, reasons: [] })
    expect(report.fullStrengthMs).toBeGreaterThan(190)
    expect(report.verdict.lost).toEqual([])
    expect(report.verdict.failedWithinWindow).toBeGreaterThan(3)
    expect(report.verdict.longestGapMs).toBeGreaterThan(120)
    expect(report.verdict.longestGapMs).toBeLessThan(3000)
    expect(report.milestones.map((milestone) => milestone.name).sort()).toEqual(
      ['balancer', 'etcd events', 'etcd main', 'kubelets', 'machines'].sort(),
    )
    expect([...new Set(moments.map((moment) => moment.phase))]).toEqual([
      'warming up',
      'healing',
      'whole again',
      'done',
    ])
    expect(cluster.actions).toEqual([`kill ${leader}`])
    expect(cluster.endpoint.namespaces.size).toBe(0)
  })

  it('kills a follower that leads neither etcd cluster, and judges what failed', async () => {
    const cluster = await begin()
    const follower = idOfSeat(cluster, 'c')
    cluster.outage = { behaviour: 'refuse', forMs: 120 }

    const report = await killMaster(cluster.context, { which: 'follower' }, silent)

    expect(cluster.actions).toEqual([`kill ${follower}`])
    expect(report.judgement.passed).toBe(false)
    expect(report.judgement.reasons[0]).toMatch(/requests failed right after the fault, at most \d+ may/)
  })

  it('loses the volumes too, before the successor has them', async () => {
    const cluster = await begin()
    const leader = idOfSeat(cluster, 'b')

    const report = await killMaster(cluster.context, { which: 'leader', loseVolumes: true }, silent)

    expect(cluster.actions[0]).toBe(`kill ${leader}`)
    expect(cluster.actions.slice(1).sort()).toEqual(['delete vol-b-events', 'delete vol-b-main'])
    expect(report.bounds.fullStrengthMs).toBe(40_000)
  })

  it('notices an acknowledged write that is on no master', async () => {
    const cluster = await begin()
    cluster.outage = { behaviour: 'lose', forMs: 60 }

    const report = await killMaster(cluster.context, { which: 'leader' }, silent)

    expect(report.verdict.lost.length).toBeGreaterThan(0)
    expect(report.verdict.lost[0]?.missingFrom).toHaveLength(3)
    expect(report.judgement.passed).toBe(false)
  })

  it('reports what is missing when the cluster does not come back, and cleans up', async () => {
    const cluster = await begin()
    cluster.replaceAfterMs = undefined
    const timing = { ...cluster.context.timing, fullStrengthTimeoutMs: 300 }

    const report = await killMaster({ ...cluster.context, timing }, { which: 'leader' }, silent)

    expect(report.fullStrengthMs).toBeUndefined()
    expect(report.judgement.reasons).toEqual(['full strength was not reached'])
    expect(report.missing?.length).toBeGreaterThan(0)
    expect(cluster.endpoint.namespaces.size).toBe(0)
  })

  it.each([
    ['a learner', (c: StandInCluster) => c.learners.add('c'), /etcd main: c still a learner/],
    ['a stale Lease', (c: StandInCluster) => c.endpoint.leases.clear(), /kubelets: no fresh Lease of/],
    ['a missing master', (c: StandInCluster) => c.inventory.machines.pop(), /machines: 2 of 3 masters run/],
    ['no leader', (c: StandInCluster) => Object.assign(c.leaders, { main: '0' }), /etcd main: no leader/],
  ])('refuses a cluster with %s, and kills nothing', async (_name, weaken, reason) => {
    const cluster = await begin()
    weaken(cluster)

    const attempt = killMaster(cluster.context, { which: 'leader' }, silent)

    await expect(attempt).rejects.toMatchObject({
      code: 'drill-refused',
      message: expect.stringMatching(reason),
    })
    expect(cluster.actions).toEqual([])
    expect(cluster.endpoint.namespaces.size).toBe(0)
  })

  it('refuses when a voter is gone by the time it would kill', async () => {
    const cluster = await begin()
    const watch = (moment: DrillMoment): void => {
      if (moment.phase === 'warming up') cluster.learners.add('c')
    }

    const attempt = killMaster({ ...cluster.context, watch }, { which: 'leader' }, silent)

    await expect(attempt).rejects.toMatchObject({
      code: 'drill-refused',
      message: expect.stringMatching(/may lose no master/),
    })
    expect(cluster.actions).toEqual([])
    expect(cluster.endpoint.namespaces.size).toBe(0)
  })

  it('kills a weak cluster when forced', async () => {
    const cluster = await begin()
    cluster.learners.add('c')
    const timing = { ...cluster.context.timing, fullStrengthTimeoutMs: 100 }

    await killMaster({ ...cluster.context, timing, force: true }, { which: 'follower' }, silent)

    expect(cluster.actions).toHaveLength(1)
    expect(cluster.leaders.main).toBe(memberId('b'))
  })

  it('stops when it is asked to, and leaves no namespace', async () => {
    const cluster = await begin()
    const stop = new AbortController()
    const watch = (moment: DrillMoment): void => {
      if (moment.phase === 'healing') stop.abort()
    }

    const attempt = killMaster(
      { ...cluster.context, watch, signal: stop.signal },
      { which: 'leader' },
      silent,
    )

    await expect(attempt).rejects.toMatchObject({ code: 'drill-stopped', exitCode: 130 })
    expect(cluster.endpoint.namespaces.size).toBe(0)
  })
})
