import fc from 'fast-check'
import { expect, test } from 'vitest'
import { faultTolerance, hasQuorum, majority, mayLose } from '../../src/quorum/majority.ts'
import { mayRemoveVoter } from './etcd-model.ts'

/** The dumb twin: all subsets, and the very meaning of a quorum: any two of them meet. */
const subsets = (voters: number): number[][] =>
  Array.from({ length: 2 ** voters }, (_, bits) =>
    Array.from({ length: voters }, (_, voter) => voter).filter((voter) => bits & (1 << voter)),
  )

const meet = (one: readonly number[], other: readonly number[]): boolean =>
  one.some((voter) => other.includes(voter))

/** The smallest size at which any two subsets of that size have a voter in common. */
function dumbMajority(voters: number): number {
  const all = subsets(voters)
  for (let size = 1; size <= voters; size += 1) {
    const quorums = all.filter((subset) => subset.length === size)
    if (quorums.every((one) => quorums.every((other) => meet(one, other)))) return size
  }
  return 1
}

const sizes = [1, 2, 3, 4, 5, 6, 7]

test.each(sizes)('of %i voters: majority, tolerance and what may still be lost', (voters) => {
  const twin = dumbMajority(voters)

  expect(majority(voters)).toBe(twin)
  expect(faultTolerance(voters)).toBe(voters - twin)
  for (const subset of subsets(voters)) {
    expect(hasQuorum(voters, subset.length)).toBe(subset.length >= twin)
    // Losing one after another, as long as those left are a quorum.
    let left = subset.length
    while (left - 1 >= twin) left -= 1
    const dumb = subset.length >= twin ? subset.length - left : subset.length - twin
    expect(mayLose(voters, subset.length)).toBe(dumb)
  }
})

test('nobody is no quorum', () => {
  expect(hasQuorum(0, 0)).toBe(false)
  expect(faultTolerance(0)).toBeLessThanOrEqual(0)
})

test('a voter may go when those left that are healthy are a quorum of those left', () => {
  const voters = fc.array(fc.boolean(), { minLength: 1, maxLength: 7 })

  fc.assert(
    fc.property(voters, fc.nat(), (health, which) => {
      const all = health.map((healthy, index) => ({ id: `m${index}`, healthy }))
      const gone = `m${which % all.length}`
      const rest = all.filter(({ id }) => id !== gone)
      const healthy = rest.flatMap((voter, index) => (voter.healthy ? [index] : []))
      const quorums = subsets(rest.length).filter((subset) => subset.length === dumbMajority(rest.length))
      const dumb = rest.length > 0 && quorums.some((quorum) => quorum.every((one) => healthy.includes(one)))

      expect(mayRemoveVoter(all, gone)).toBe(dumb)
    }),
    { numRuns: 200 },
  )
})

// Why members are removed without asking this: only those that are not healthy, and only with a quorum.
test('to remove who is not healthy never takes a quorum', () => {
  const voters = fc.array(fc.boolean(), { minLength: 2, maxLength: 9 })

  fc.assert(
    fc.property(voters, (health) => {
      const all = health.map((healthy, index) => ({ id: `m${index}`, healthy }))
      fc.pre(hasQuorum(all.length, all.filter(({ healthy }) => healthy).length))

      for (const { id, healthy } of all) if (!healthy) expect(mayRemoveVoter(all, id)).toBe(true)
    }),
  )
})
