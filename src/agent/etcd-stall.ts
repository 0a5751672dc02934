import { get } from 'node:http'
import { text } from 'node:stream/consumers'
import { ports } from '../constants.ts'
import type { MemberObservation } from '../quorum/member.ts'
import type { EtcdName } from '../spec/types.ts'

const answerTimeoutMs = 1_000

/** How far a member has come, by its own process; told without consensus. */
export interface Progress {
  /** Entries of the log that it has applied. */
  applied: number
  /** It receives a snapshot, takes it over, or defragments: nothing is applied meanwhile, for minutes maybe. */
  busy: boolean
}

export interface StallWatch {
  /**
   * Called at each look; `others` is how far the furthest member has come. Undefined for a member that
   * serves, is on its way, or has nobody to follow.
   */
  look(seen: { healthy: boolean; quorum: boolean; others: number }): Promise<MemberObservation['stalled']>
  /** The process was just ended; it gets more time than before. */
  restarted(): void
}

/** Entries of the log behind the others: less than this a member takes in at once. */
const far = 1_000

/** Watches one member that runs as a pod. `progress` says nothing while it loads its data, or hangs. */
export function watchStall(
  progress: () => Promise<Progress | undefined>,
  now: () => number = () => performance.now(),
): StallWatch {
  let restarts = 0
  let still: { sinceMs: number; applied: number | undefined; othersThen: number } | undefined
  return {
    async look({ healthy, quorum, others }) {
      if (healthy) restarts = 0
      if (healthy || !quorum) {
        still = undefined
        return undefined
      }
      const found = await progress()
      const applied = found?.applied
      // One that keeps up with the others and yet serves nothing is not on its way any more.
      const comes = applied !== undefined && applied !== still?.applied && others - applied > far
      if (found?.busy) still = undefined
      else if (!still || comes || (still.applied === undefined) !== (applied === undefined))
        still = { sinceMs: now(), applied, othersThen: others }
      else still.applied = applied
      if (!still) return undefined
      // What a restarted member applies again is its own log: only what was written since proves that it hears.
      const follows = applied !== undefined && applied > still.othersThen
      return { ms: now() - still.sinceMs, restarts, silent: found === undefined, follows }
    },
    restarted() {
      restarts += 1
      still = undefined
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
