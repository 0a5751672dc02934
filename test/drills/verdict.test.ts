import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { judge, type Verdict, type VerdictInput, verdict } from '../../src/drills/verdict.ts'
import type { WriteRecord } from '../../src/drills/workload.ts'

const faultMs = 1000

const write = (
  name: string,
  startedMs: number,
  tookMs: number,
  status: number | undefined = 201,
): WriteRecord => ({
  name,
  scheduledMs: startedMs,
  startedMs,
  endedMs: startedMs + tookMs,
  ...(status === undefined ? { error: 'no answer within 1000 ms' } : { status }),
})
const failed = (name: string, startedMs: number, tookMs: number): WriteRecord => ({
  name,
  scheduledMs: startedMs,
  startedMs,
  endedMs: startedMs + tookMs,
  error: 'connect ECONNREFUSED',
})
const holds = (...names: string[]) => ({ master: 'm1', names: new Set(names) })

const of = (records: WriteRecord[], more: Partial<VerdictInput> = {}): Verdict =>
  verdict({
    records,
    faultMs,
    endedMs: 5000,
    readBack: [holds(...records.map((record) => record.name))],
    ...more,
  })

describe('verdict', () => {
  it('measures gaps between completions, from the last success before the fault', () => {
    const result = of([
      write('a', 900, 50),
      write('b', 1200, 1000),
      write('c', 2300, 20),
      write('d', 4950, 10),
    ])

    expect(result.longestGapMs).toBe(2640)
    expect(of([write('a', 500, 50), write('b', 1200, 800), write('c', 2500, 2400)]).longestGapMs).toBe(2900)
    expect(of([write('a', 500, 50), write('b', 1200, 800)], { endedMs: 2100 }).longestGapMs).toBe(1450)
  })

  it('ignores gaps that were over before the fault', () => {
    const records = [write('a', 0, 10), write('b', 900, 10), write('c', 1100, 10)]

    expect(of(records, { endedMs: 1150 }).longestGapMs).toBe(200)
  })

  it('gives a lower bound and no recovery when nothing succeeds after the fault', () => {
    const result = of([write('a', 900, 50), failed('b', 1200, 10)])

    expect(result).toMatchObject({ recovered: false, longestGapMs: 4050, acknowledged: 1, failed: 1 })
    expect(judge(result, {}).reasons).toEqual(['no write succeeded after the fault'])
  })

  it('counts a request that was under way when the fault came as within the window', () => {
    const result = of([
      failed('before', 100, 10),
      failed('under-way', 950, 100),
      failed('edge', 3000, 900),
      failed('after', 3001, 5),
      write('ok', 3200, 5),
    ])

    expect(result).toMatchObject({
      failedBeforeFault: 1,
      failedWithinWindow: 2,
      failedAfterWindow: 1,
      sentSinceFault: 4,
    })
    expect(result.failures.map(({ afterFaultMs }) => afterFaultMs)).toEqual([-900, -50, 2000, 2001])
    expect(result.failures[0]?.reason).toBe('connect ECONNREFUSED')
  })

  it('says of a refused request what the answer was', () => {
    const refused = { ...failed('refused', 1100, 5), error: undefined, status: 503 }

    expect(of([refused]).failures).toEqual([{ afterFaultMs: 100, reason: 'HTTP 503' }])
  })

  it('is lost when any one master lacks an acknowledged write', () => {
    const result = of([write('a', 1100, 5), write('b', 1200, 5)], {
      readBack: [holds('a', 'b'), { master: 'm2', names: new Set(['b']) }],
    })

    expect(result.lost).toEqual([{ name: 'a', missingFrom: ['m2'] }])
    expect(judge(result, {}).reasons).toEqual(['1 acknowledged writes are lost (a not on m2)'])
  })

  it('calls a timed-out create that is there ambiguous, never lost, and failed all the same', () => {
    const result = of([write('a', 1100, 5), failed('there', 1200, 1000), failed('not-there', 1300, 1000)], {
      readBack: [holds('a', 'there')],
    })

    expect(result).toMatchObject({ ambiguous: 1, failed: 2, lost: [] })
  })

  it('proves nothing about a master that could not be read', () => {
    const result = of([write('a', 1100, 5)], {
      readBack: [holds('a'), { master: 'm2', error: '10.0.0.2:6443: ECONNREFUSED' }],
    })

    expect(result.lost).toEqual([])
    expect(judge(result, {})).toEqual({
      passed: false,
      reasons: ['m2 could not be read back, so nothing is proven about it: 10.0.0.2:6443: ECONNREFUSED'],
    })
  })

  it('gives no latency without a success, nearest-rank percentiles from when each was due otherwise', () => {
    const late = { ...write('late', 1100, 10), scheduledMs: 1000 }
    const hundred = Array.from({ length: 99 }, (_, index) => write(`w${index}`, 1000 + index, index + 1))

    expect(of([failed('a', 1100, 5)]).latency).toBeUndefined()
    expect(of([...hundred, late]).latency).toEqual({ p50Ms: 50, p95Ms: 95, p99Ms: 99 })
    expect(of([late])).toMatchObject({ latency: { p50Ms: 110 }, clientLatenessMs: 100 })
  })

  it('survives having no records at all', () => {
    const result = of([])

    expect(result).toMatchObject({ sent: 0, longestGapMs: 4000, recovered: false, latency: undefined })
    expect(judge(result, {}).reasons).toEqual(['no write was ever acknowledged'])
  })

  it('agrees with a dumb count, whatever happened', () => {
    const record = fc.record({
      start: fc.nat(4000),
      took: fc.nat(1000),
      ok: fc.boolean(),
      stored: fc.boolean(),
    })

    fc.assert(
      fc.property(fc.array(record, { maxLength: 40 }), (plan) => {
        const records = plan.map((p, i) =>
          p.ok ? write(`w${i}`, p.start, p.took) : failed(`w${i}`, p.start, p.took),
        )
        const stored = plan.flatMap((p, i) => (p.stored ? [`w${i}`] : []))
        const result = of(records, { readBack: [holds(...stored)] })

        expect(result.acknowledged + result.failed).toBe(result.sent)
        expect(result.failedBeforeFault + result.failedWithinWindow + result.failedAfterWindow).toBe(
          result.failed,
        )
        expect(result.lost.length).toBe(plan.filter((p) => p.ok && !p.stored).length)
        expect(result.ambiguous).toBe(plan.filter((p) => !p.ok && p.stored).length)
        // No window longer than the gap is free of completions.
        const ends = plan.flatMap((p) => (p.ok && p.start + p.took > faultMs ? [p.start + p.took] : []))
        for (let t = faultMs; t + result.longestGapMs < 5000; t += 97) {
          expect(ends.some((end) => end >= t && end <= t + result.longestGapMs)).toBe(true)
        }
      }),
      { numRuns: 200 },
    )
  })
})

describe('judge', () => {
  const good = of([
    write('a', 900, 5),
    ...Array.from({ length: 80 }, (_, i) => write(`w${i}`, 1000 + i * 50, 5)),
  ])

  it('passes what keeps to every bound', () => {
    const bounds = { longestGapMs: 100, failedFraction: 0.01, failedAfterWindow: 0, fullStrengthMs: 30_000 }

    expect(judge(good, bounds, 30_000)).toEqual({ passed: true, reasons: [] })
  })

  it('names every bound that does not hold', () => {
    const records = [
      write('a', 900, 5),
      ...Array.from({ length: 100 }, (_, i) => failed(`f${i}`, 1000 + i, 5)),
      failed('late', 4000, 5),
      write('z', 4900, 5),
    ]

    const { reasons } = judge(
      of(records),
      { longestGapMs: 3000, failedFraction: 0.01, failedAfterWindow: 0, fullStrengthMs: 30_000 },
      31_000,
    )

    expect(reasons).toEqual([
      'the longest gap was 4.00 s, at most 3.00 s is allowed',
      '100 of 102 requests failed right after the fault, at most 1 may',
      '1 requests failed later than that, at most 0 may; one 3.00 s after the fault: connect ECONNREFUSED',
      'full strength took 31.00 s, at most 30.00 s is allowed',
    ])
  })

  it('does not pass when full strength was never reached', () => {
    expect(judge(good, { fullStrengthMs: 30_000 }).reasons).toEqual(['full strength was not reached'])
  })
})
