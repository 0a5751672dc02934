import type { Machine } from '../../../src/clouds/cloud.ts'
import type { DrillMoment } from '../../../src/drills/drill.ts'
import type { EtcdStatus } from '../../../src/drills/etcd-status.ts'
import type { WriteRecord } from '../../../src/drills/workload.ts'

/** The moment at which the imagined drill begins; a whole number of strip cells. */
export const beginMs = 1_700_000_000_000

const machine = (seat: string, id: string, state: Machine['state'], bootedMs: number): Machine => ({
  id,
  group: `master-${seat}`,
  role: 'master',
  zone: `zone-${seat}`,
  address: '10.213.0.2',
  state,
  bootedAt: new Date(bootedMs).toISOString(),
})

const etcd = (answering: string, leader: string): EtcdStatus => ({
  members: ['a', 'b', 'c'].map((name) => ({
    id: name,
    name,
    voter: true,
    ...(answering.includes(name) ? { machine: `m-${name}1`, appliedIndex: 100 } : {}),
  })),
  leaderId: leader,
  leaderMachine: `m-${leader}1`,
  highestIndex: 100,
})

/** Twenty writes a second from the beginning; none succeeds in the second after `faultAfterMs`. */
export function writes(untilMs: number, faultAfterMs = Number.POSITIVE_INFINITY): WriteRecord[] {
  return Array.from({ length: Math.floor(untilMs / 50) }, (_, index) => {
    const atMs = index * 50
    const base = {
      name: `w${index}`,
      scheduledMs: beginMs + atMs,
      startedMs: beginMs + atMs,
      endedMs: beginMs + atMs + 5,
    }
    const bad = atMs > faultAfterMs && atMs < faultAfterMs + 1000
    return bad ? { ...base, error: 'ECONNREFUSED' } : { ...base, status: 201 }
  })
}

type Stage = 'steady' | 'just killed' | 'replacing' | 'whole' | 'done'

/** A drill in which the leader m-b1 is killed five seconds after its beginning. */
export function momentAt(stage: Stage, afterMs: number): DrillMoment {
  const killed = stage !== 'steady'
  const records = writes(afterMs, killed ? 5000 : undefined)
  const failed = records.filter((record) => record.error).length
  const healed = stage === 'whole' || stage === 'done'
  const members = killed && !healed ? 'ac' : 'abc'
  const b =
    stage === 'steady'
      ? [machine('b', 'm-b1', 'running', beginMs - 60_000)]
      : stage === 'just killed'
        ? []
        : [machine('b', 'm-b2', healed ? 'running' : 'starting', beginMs + 6000)]
  const leader = killed ? 'a' : 'b'
  return {
    phase: stage === 'steady' ? 'warming up' : stage === 'done' ? 'done' : healed ? 'whole again' : 'healing',
    observation: {
      atMs: beginMs + afterMs,
      inventory: {
        groups: [],
        volumes: [],
        machines: [
          machine('a', 'm-a1', 'running', beginMs - 65_000),
          ...b,
          machine('c', 'm-c1', 'running', beginMs - 60_000),
        ],
      },
      etcd: { main: etcd(members, leader), events: etcd(members, leader) },
    },
    workload: {
      sent: records.length,
      acknowledged: records.length - failed,
      failed,
      inFlight: 0,
      inARow: 40,
      longestGapMs: killed ? 1050 : 55,
      records,
    },
    ...(killed ? { fault: { machine: 'm-b1', atMs: beginMs + 5000, title: 'Kill m-b1' } } : {}),
    missing: killed && !healed ? ['etcd main: b does not answer'] : [],
    ...(stage === 'done' ? { lost: 0 } : {}),
  }
}
