import { randomBytes } from 'node:crypto'
import { HoldfastError, messageOf } from '../errors.ts'
import { nowMs, sleep } from './clock.ts'
import { type HttpsClient, httpsClient } from './https-client.ts'
import { type KubeconfigSource, readKubeconfig } from './kubeconfig.ts'

export interface WorkloadOptions {
  kubeconfig: KubeconfigSource
  context?: string
  /** Default 20. */
  ratePerSecond?: number
  /** For one request from its connection to its answer; default 1,000. */
  timeoutMs?: number
  /** The workload stops by itself after so many requests; default 12,000 (ten minutes). */
  maxRequests?: number
}

/** One create, never repeated. Times are in milliseconds of `nowMs`. */
export interface WriteRecord {
  name: string
  scheduledMs: number
  startedMs: number
  endedMs: number
  /** HTTP status; 201 means acknowledged. */
  status?: number
  error?: string
}

export interface WorkloadResult {
  namespace: string
  startedMs: number
  endedMs: number
  /** In the order in which they ended. */
  records: WriteRecord[]
}

/** Live counters. `records` is the growing list itself: read, do not keep. */
export interface WorkloadSnapshot {
  sent: number
  acknowledged: number
  failed: number
  inFlight: number
  /** Successful writes in a row until now. */
  inARow: number
  /** Includes the gap that is open right now. */
  longestGapMs: number
  records: readonly WriteRecord[]
}

export interface Workload {
  readonly namespace: string
  snapshot(): WorkloadSnapshot
  /** Starts no more requests, waits for those under way (at most their time limit). May be called again. */
  stop(): Promise<WorkloadResult>
}

export const drillNamespacePrefix = 'holdfast-drill-'
export const acknowledged = (record: WriteRecord): boolean => record.status === 201

const setupTimeoutMs = 15_000

/**
 * An independent client of the cluster: creates small ConfigMaps through the kubeconfig's server at
 * a fixed rate, in a namespace of its own. Open loop: each create starts on schedule whatever became
 * of those before it, on a new connection with a full handshake, and is never repeated.
 *
 * @throws HoldfastError `workload-no-namespace` when the API takes nothing to begin with.
 */
export async function startWorkload(options: WorkloadOptions): Promise<Workload> {
  const client = httpsClient(await readKubeconfig(options.kubeconfig, options.context))
  const namespace = `${drillNamespacePrefix}${randomBytes(4).toString('hex')}`
  await createNamespace(client, namespace)
  return runSchedule(client, namespace, options)
}

function runSchedule(client: HttpsClient, namespace: string, options: WorkloadOptions): Workload {
  const intervalMs = 1000 / (options.ratePerSecond ?? 20)
  const timeoutMs = options.timeoutMs ?? 1000
  const maxRequests = options.maxRequests ?? 12_000
  const startedMs = nowMs()
  const records: WriteRecord[] = []
  const underWay = new Set<Promise<void>>()
  const path = `/api/v1/namespaces/${namespace}/configmaps`
  let sent = 0
  let acknowledgedCount = 0
  let inARow = 0
  let longestGapMs = 0
  let lastSuccessMs = startedMs
  let timer: NodeJS.Timeout | undefined
  let result: Promise<WorkloadResult> | undefined

  const note = (record: WriteRecord): void => {
    records.push(record)
    if (!acknowledged(record)) {
      inARow = 0
      return
    }
    acknowledgedCount += 1
    inARow += 1
    longestGapMs = Math.max(longestGapMs, record.endedMs - lastSuccessMs)
    lastSuccessMs = record.endedMs
  }

  const create = async (name: string, scheduledMs: number): Promise<void> => {
    const began = nowMs()
    const base = { name, scheduledMs, startedMs: began }
    try {
      const body = {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name },
        data: { written: String(began) },
      }
      const answer = await client.call({ method: 'POST', path, body, timeoutMs })
      const error =
        answer.status === 201 ? undefined : `status ${answer.status}: ${answer.body.slice(0, 200)}`
      note({ ...base, endedMs: nowMs(), status: answer.status, ...(error ? { error } : {}) })
    } catch (error) {
      note({ ...base, endedMs: nowMs(), error: messageOf(error) })
    }
  }

  const tick = (): void => {
    // A late timer starts everything that is due, so a busy client never lowers the rate.
    for (;;) {
      if (sent >= maxRequests) return
      const scheduledMs = startedMs + sent * intervalMs
      const waitMs = scheduledMs - nowMs()
      if (waitMs > 0) {
        timer = setTimeout(tick, waitMs)
        return
      }
      const write = create(`w-${String(sent).padStart(6, '0')}`, scheduledMs)
      sent += 1
      underWay.add(write)
      void write.finally(() => underWay.delete(write))
    }
  }
  tick()

  const end = async (): Promise<WorkloadResult> => {
    const endedMs = nowMs()
    clearTimeout(timer)
    await Promise.all(underWay)
    return { namespace, startedMs, endedMs, records }
  }
  return {
    namespace,
    snapshot: () => ({
      sent,
      acknowledged: acknowledgedCount,
      failed: records.length - acknowledgedCount,
      inFlight: underWay.size,
      inARow,
      longestGapMs: result ? longestGapMs : Math.max(longestGapMs, nowMs() - lastSuccessMs),
      records,
    }),
    stop: () => {
      result ??= end()
      return result
    },
  }
}

async function createNamespace(client: HttpsClient, name: string): Promise<void> {
  const deadline = nowMs() + setupTimeoutMs
  const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }
  let reason = ''
  while (nowMs() < deadline) {
    try {
      const answer = await client.call({ method: 'POST', path: '/api/v1/namespaces', body, timeoutMs: 3000 })
      // A try that timed out may have made it all the same; the name is random, so it is ours.
      if (answer.status === 201 || answer.status === 409) return
      reason = `status ${answer.status}: ${answer.body.slice(0, 200)}`
    } catch (error) {
      reason = messageOf(error)
    }
    await sleep(250)
  }
  throw new HoldfastError(
    'workload-no-namespace',
    `The drill's namespace ${name} could not be made: ${reason}`,
    {
      remedy: 'Look at the cluster with `holdfast validate cluster NAME` first.',
    },
  )
}
