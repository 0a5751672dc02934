import type { MasterReadBack } from './readback.ts'
import { acknowledged, type WriteRecord } from './workload.ts'

export interface VerdictInput {
  records: readonly WriteRecord[]
  /** When the workload stopped starting requests. */
  endedMs: number
  faultMs: number
  readBack: readonly MasterReadBack[]
  /** How long after the fault a failure counts as the fault's; default 2,000. */
  windowMs?: number
}

export interface FailedRequest {
  /** From the fault to when it was sent; negative before it. */
  afterFaultMs: number
  /** `HTTP 503`, or what the client says of the connection. */
  reason: string
}

export interface LostWrite {
  name: string
  /** The masters that do not have it. */
  missingFrom: string[]
}

/** What an independent client saw. Durations in milliseconds. */
export interface Verdict {
  sent: number
  acknowledged: number
  failed: number
  /** Failed ones that ended before the fault: not its doing. */
  failedBeforeFault: number
  /** Failed ones that were sent up to `windowMs` after the fault, or were under way when it came. */
  failedWithinWindow: number
  failedAfterWindow: number
  /** In the order in which they ended. */
  failures: FailedRequest[]
  /** Sent after the fault or under way when it came: what a failed fraction is a fraction of. */
  sentSinceFault: number
  /** Without an acknowledgement but there all the same, as happens when an answer is lost. Counted as failed too. */
  ambiguous: number
  /**
   * The longest time without a successful write: between two completions, the first one the last
   * before the fault, and up to the end of the workload.
   */
  longestGapMs: number
  /** Whether any write succeeded after the fault. When not, `longestGapMs` is only a lower bound. */
  recovered: boolean
  /** Of acknowledged writes, from the moment each was due; nothing when there were none. */
  latency: { p50Ms: number; p95Ms: number; p99Ms: number } | undefined
  /** The most that the client itself was late in starting a request: what it may have added. */
  clientLatenessMs: number
  lost: LostWrite[]
  /** Masters that could not be read back: nothing is proven about them. */
  unread: { master: string; error: string }[]
}

export function verdict(input: VerdictInput): Verdict {
  const { records, faultMs, endedMs } = input
  const windowEndMs = faultMs + (input.windowMs ?? 2000)
  const successes = records.filter(acknowledged)
  const failures = records.filter((record) => !acknowledged(record))
  const since = (list: readonly WriteRecord[]): WriteRecord[] => list.filter((r) => r.endedMs >= faultMs)
  const failedSince = since(failures)
  const read = input.readBack.filter((master) => master.names)
  const everywhere = (record: WriteRecord): string[] =>
    read.filter((master) => !master.names?.has(record.name)).map((master) => master.master)
  return {
    sent: records.length,
    acknowledged: successes.length,
    failed: failures.length,
    failedBeforeFault: failures.length - failedSince.length,
    failedWithinWindow: failedSince.filter((record) => record.startedMs <= windowEndMs).length,
    failedAfterWindow: failedSince.filter((record) => record.startedMs > windowEndMs).length,
    failures: failures.map(({ startedMs, status, error }) => ({
      afterFaultMs: Math.round(startedMs - faultMs),
      reason: error ?? `HTTP ${status}`,
    })),
    sentSinceFault: since(records).length,
    ambiguous: failures.filter((record) => read.some((master) => master.names?.has(record.name))).length,
    ...gaps(successes, faultMs, endedMs),
    latency: latency(successes),
    clientLatenessMs: records.reduce((most, r) => Math.max(most, r.startedMs - r.scheduledMs), 0),
    lost: successes
      .map((record) => ({ name: record.name, missingFrom: everywhere(record) }))
      .filter((write) => write.missingFrom.length > 0),
    unread: input.readBack
      .filter((master) => !master.names)
      .map((master) => ({ master: master.master, error: master.error ?? 'not read' })),
  }
}

function gaps(
  successes: readonly WriteRecord[],
  faultMs: number,
  endedMs: number,
): Pick<Verdict, 'longestGapMs' | 'recovered'> {
  const times = successes.map((record) => record.endedMs).sort((a, b) => a - b)
  const after = times.filter((time) => time > faultMs)
  let previous = times.findLast((time) => time <= faultMs) ?? faultMs
  let longestGapMs = 0
  for (const time of after) {
    longestGapMs = Math.max(longestGapMs, time - previous)
    previous = time
  }
  return { longestGapMs: Math.max(longestGapMs, endedMs - previous), recovered: after.length > 0 }
}

function latency(successes: readonly WriteRecord[]): Verdict['latency'] {
  const sorted = successes.map((record) => record.endedMs - record.scheduledMs).sort((a, b) => a - b)
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
  return sorted.length === 0 ? undefined : { p50Ms: at(0.5), p95Ms: at(0.95), p99Ms: at(0.99) }
}

/** What must hold. A bound that is left out is not judged; that nothing acknowledged is lost always is. */
export interface Bounds {
  longestGapMs?: number
  /** Of `sentSinceFault`, for those within the window; 0.01 is one per cent. */
  failedFraction?: number
  failedAfterWindow?: number
  fullStrengthMs?: number
}

export interface Judgement {
  passed: boolean
  /** Each bound that does not hold, as a sentence. */
  reasons: string[]
}

/** @param fullStrengthMs from the fault until full strength; undefined when it was not reached. */
export function judge(result: Verdict, bounds: Bounds, fullStrengthMs?: number): Judgement {
  const reasons: string[] = []
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`
  if (result.lost.length > 0) {
    const shown = result.lost
      .slice(0, 5)
      .map((write) => `${write.name} not on ${write.missingFrom.join(', ')}`)
    const more = result.lost.length > shown.length ? ', …' : ''
    reasons.push(`${result.lost.length} acknowledged writes are lost (${shown.join('; ')}${more})`)
  }
  for (const { master, error } of result.unread) {
    reasons.push(`${master} could not be read back, so nothing is proven about it: ${error}`)
  }
  if (result.acknowledged === 0) reasons.push('no write was ever acknowledged')
  else if (!result.recovered) reasons.push('no write succeeded after the fault')
  if (bounds.longestGapMs !== undefined && result.longestGapMs > bounds.longestGapMs) {
    reasons.push(
      `the longest gap was ${seconds(result.longestGapMs)}, at most ${seconds(bounds.longestGapMs)} is allowed`,
    )
  }
  if (bounds.failedFraction !== undefined) {
    const allowed = Math.floor(result.sentSinceFault * bounds.failedFraction + 1e-9)
    if (result.failedWithinWindow > allowed) {
      reasons.push(
        `${result.failedWithinWindow} of ${result.sentSinceFault} requests failed right after the fault, at most ${allowed} may`,
      )
    }
  }
  if (bounds.failedAfterWindow !== undefined && result.failedAfterWindow > bounds.failedAfterWindow) {
    const last = result.failures.toSorted((a, b) => a.afterFaultMs - b.afterFaultMs).at(-1)
    const which = last ? `; one ${seconds(last.afterFaultMs)} after the fault: ${last.reason}` : ''
    reasons.push(
      `${result.failedAfterWindow} requests failed later than that, at most ${bounds.failedAfterWindow} may${which}`,
    )
  }
  if (bounds.fullStrengthMs !== undefined) {
    if (fullStrengthMs === undefined) reasons.push('full strength was not reached')
    else if (fullStrengthMs > bounds.fullStrengthMs) {
      reasons.push(
        `full strength took ${seconds(fullStrengthMs)}, at most ${seconds(bounds.fullStrengthMs)} is allowed`,
      )
    }
  }
  return { passed: reasons.length === 0, reasons }
}
