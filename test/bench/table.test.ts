import { describe, expect, it } from 'vitest'
import { figuresOf } from '../../bench/kills.ts'
import { type Figure, holds, judgedValue, median } from '../../bench/measurement.ts'
import { allHold, type BenchResults, broken, renderResults } from '../../bench/table.ts'
import type { DrillReport } from '../../src/drills/index.ts'
import { verdict } from '../../src/drills/verdict.ts'

const figure = (values: number[], judged: Figure['judged'], atMost?: number): Figure => ({
  name: 'it',
  unit: 's',
  values,
  judged,
  ...(atMost === undefined ? {} : { atMost }),
})

const resultsOf = (figures: Figure[], error?: string): BenchResults => ({
  machine: { cores: 2, processor: 'P', memoryGb: 24, kernel: '6.1' },
  sections: [
    {
      name: 'n',
      title: 'Title',
      at: '2030-01-01T00:00:00Z',
      commit: 'abc',
      rounds: 3,
      figures,
      ...(error ? { error } : {}),
    },
  ],
})

describe('figures', () => {
  it('takes medians of odd and even counts', () => {
    expect(median([3, 1, 2])).toBe(2)
    expect(median([4, 1, 2, 3])).toBe(2.5)
    expect(median([])).toBeNaN()
  })

  it('holds at the bound and not above it, by median or by worst', () => {
    expect(holds(figure([1, 2, 9], 'median', 2))).toBe(true)
    expect(holds(figure([1, 2, 9], 'worst', 8.99))).toBe(false)
    expect(judgedValue(figure([1, 2, 9], 'worst'))).toBe(9)
  })

  it('never holds when nothing was measured', () => {
    expect(holds(figure([], 'median', 2))).toBe(false)
    expect(holds(figure([], 'worst', 2))).toBe(false)
  })
})

describe('results', () => {
  it('shows every value, and says which bound does not hold', () => {
    const results = resultsOf([
      figure([1, 2, 9.126], 'worst', 3),
      figure([1], 'median', 3),
      figure([7], 'median'),
    ])

    const page = renderResults(results)

    expect(page).toContain('| it | 2 s | 9.13 s | worst ≤ 3 s | **no** | 1, 2, 9.13 |')
    expect(page).toContain('| it | 1 s | 1 s | median ≤ 3 s | yes | 1 |')
    expect(page).toContain('| it | 7 s | 7 s |  |  | 7 |')
    expect(broken(results)).toEqual(['n: it: worst 9.13 s, bound 3'])
    expect(allHold(results)).toBe(false)
  })

  it('does not hold when a measurement ended early', () => {
    const results = resultsOf([], 'no cluster')

    expect(allHold(results)).toBe(false)
    expect(renderResults(results)).toContain('Ended early: no cluster')
  })
})

describe('kills', () => {
  const report = (gapMs: number, fullStrengthMs?: number): DrillReport => ({
    drill: 'kill-master',
    cluster: 'c',
    machine: 'm',
    zone: 'z',
    leaderBefore: 'm',
    faultAt: '2030-01-01T00:00:00Z',
    ...(fullStrengthMs === undefined ? {} : { fullStrengthMs }),
    milestones: [],
    verdict: { ...verdict({ records: [], endedMs: 1, faultMs: 0, readBack: [] }), longestGapMs: gapMs },
    bounds: {},
    judgement: { passed: true, reasons: [] },
  })

  it('judges the leader by the median and by the worst, and a cluster that never came back as endless', () => {
    const leader = [report(1000, 9000), report(1500, 9000), report(2900)]

    const figures = figuresOf({ follower: [report(60, 8000)], leader }, false)

    const by = (name: string) => figures.find((candidate) => candidate.name.startsWith(name))
    expect(judgedValue(by('leader: longest') ?? figure([], 'worst'))).toBe(1.5)
    expect(judgedValue(by('leader: the same') ?? figure([], 'worst'))).toBe(2.9)
    expect(figures.filter((candidate) => !holds(candidate)).map((candidate) => candidate.name)).toEqual([
      'full strength again',
    ])
  })
})
