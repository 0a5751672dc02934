import { get } from 'node:http'
import { text } from 'node:stream/consumers'
import { ports } from '../constants.ts'
import type { MemberObservation } from '../quorum/member.ts'
import { lookAtStall, type Progress, restarted, type Stall } from '../quorum/stall.ts'
import type { EtcdName } from '../spec/types.ts'

const answerTimeoutMs = 1_000

export interface StallWatch {
  /**
   * Called at each look; `others` is how far the furthest member has come. Undefined for a member that
   * serves, is on its way, or has nobody to follow.
   */
  look(seen: { healthy: boolean; quorum: boolean; others: number }): Promise<MemberObservation['stalled']>
  /** The process was just ended; it gets more time than before. */
  restarted(): void
}

/** Watches one member that runs as a pod. `progress` says nothing while it loads its data, or hangs. */
export function watchStall(
  progress: () => Promise<Progress | undefined>,
  now: () => number = () => performance.now(),
): StallWatch {
  let stall: Stall = { restarts: 0 }
  return {
    async look(seen) {
      const found = seen.healthy || !seen.quorum ? undefined : await progress()
      const looked = lookAtStall(stall, { ...seen, progress: found, nowMs: now() })
      stall = looked.stall
      return looked.stalled
    },
    restarted() {
      stall = restarted(stall)
    },
  }
}

/** From the member's own metrics, which it serves as soon as its data is loaded. */
export async function progressOf(etcd: EtcdName): Promise<Progress | undefined> {
  const url = `http://127.0.0.1:${ports.etcd[etcd].metrics}/metrics`
  try {
    return parseProgress(await ask(url))
  } catch {
    return undefined
  }
}

function ask(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, { signal: AbortSignal.timeout(answerTimeoutMs) }, (answer) => {
      text(answer).then(resolve, reject)
    }).on('error', reject)
  })
}

/** Source: go.etcd.io/etcd server/etcdserver, server/etcdserver/api/rafthttp, server/storage/backend. */
const busyGauges = [
  'etcd_network_snapshot_receive_inflights_total',
  'etcd_server_snapshot_apply_in_progress_total',
  'etcd_disk_defrag_inflight',
]

/** From what etcd's `/metrics` says. Pure. */
export function parseProgress(metrics: string): Progress | undefined {
  const values = (name: string): number[] =>
    metrics
      .split('\n')
      .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
      .map((line) => Number(line.slice(line.lastIndexOf(' ') + 1)))
  const [applied] = values('etcd_server_proposals_applied_total')
  if (applied === undefined) return undefined
  return { applied, busy: busyGauges.flatMap(values).some((one) => one > 0) }
}
