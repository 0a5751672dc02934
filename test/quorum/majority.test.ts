import fc from 'fast-check'
import { expect, test } from 'vitest'
import { faultTolerance, hasQuorum, majority, mayLose } from '../../src/quorum/majority.ts'
import { decideMember, type MemberObservation, type ViewedMember } from '../../src/quorum/member.ts'

/** The dumb twin: all subsets, and the very meaning of a quorum: any two of them meet. */
const subsets = (voters: number): number[][] =>
  Array.from({ length: 2 ** voters }, (_, bits) =>
    Array.from({ length: voters }, (_, voter) => voter).filter((voter) => bits & (1 << voter)),
  )

const meet = (one: readonly number[], other: readonly number[]): boolean =>
  one.some((voter) => other.includes(voter))

const known = new Map<number, number>()

/** The smallest size at which any two subsets of that size have a voter in common. */
function dumbMajority(voters: number): number {
  const size = known.get(voters) ?? smallestThatMeet(voters)
  known.set(voters, size)
  return size
}

function smallestThatMeet(voters: number): number {
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

/** A cluster as the agent of seat `a` may see it: its own disk is empty, or holds a member that may be stuck. */
const seen = fc
  .record({
    // What each of the others does, and the own member.
    voters: fc.array(fc.constantFrom('serves', 'serves', 'serves', 'answers', 'silent'), {
      minLength: 1,
      maxLength: 6,
    }),
    own: fc.constantFrom('none', 'none', 'serves', 'answers', 'silent'),
    learners: fc.constantFrom(0, 0, 0, 1),
    lost: fc.oneof(fc.constant(0), fc.nat(127)),
    disk: fc.constantFrom('empty', 'empty', 'present', 'corrupt'),
    stalledMs: fc.constantFrom(0, 600_000),
    restarts: fc.nat(3),
    follows: fc.boolean(),
  })
  .map(({ voters, own, learners, lost, disk, stalledMs, restarts, follows }): MemberObservation => {
    const does: { id: string; what: string }[] = [...(own === 'none' ? [] : [{ id: 'm-a', what: own }])]
    for (const [index, what] of voters.entries()) does.push({ id: `m-${index}`, what })
    const members = does.map(({ id, what }) => ({
      id,
      name: id.slice(2),
      isLearner: false,
      answers: what !== 'silent',
      healthy: what === 'serves',
    }))
    const orphan = { id: 'orphan', name: '', isLearner: true, answers: false, healthy: false }
    // Whoever answers a linearizable read has heard a quorum: those who answer are one.
    const answering = members.filter(({ answers }) => answers).length
    const quorum = members.some(({ healthy }) => healthy) && answering >= dumbMajority(members.length)
    const stamp = {
      ...{ uuid: 'u', etcd: 'main', seat: 'a', volumeId: 'v', epoch: 1, generation: 1, attempt: 1 },
      ...{ memberId: 'm-a', clusterId: 'c', formed: true as const },
    }
    return {
      seat: 'a',
      etcd: 'main',
      claimEpoch: 1,
      disk:
        disk === 'empty'
          ? { kind: 'empty', volumeId: 'v' }
          : { kind: 'stamped', volumeId: 'v', stamp, data: disk as 'present' | 'corrupt' },
      genesis: { uuid: 'u', generation: 1, attempt: 1, phase: 'formed', founders: ['a'] },
      storeReachable: true,
      record: { state: disk === 'empty' ? 'lost' : 'voter', memberId: 'm-a', volumeId: 'v', epoch: 1 },
      signsOfFormation: [],
      declaredSeats: ['a'],
      running: disk === 'empty' ? 'no' : 'pod',
      cluster: { clusterId: 'c', quorum, members: learners > 0 ? [...members, orphan] : members },
      lostMemberIds: members.flatMap(({ id }, index) => (lost & (1 << index) ? [id] : [])),
      recordedMemberIds: members.map(({ id }) => id),
      formationGraceOver: true,
      deadConnectionsEnded: true,
      stalled: { ms: stalledMs, restarts, silent: own === 'silent', follows },
    }
  })

/** Whether some quorum of these voters consists of such that are among `alive`. */
const dumbQuorum = (voters: readonly string[], alive: readonly string[]): boolean =>
  subsets(voters.length)
    .filter((subset) => subset.length === dumbMajority(voters.length))
    .some((quorum) => quorum.every((index) => alive.includes(voters[index] ?? '')))

const idsOf = (members: readonly ViewedMember[]): string[] => members.map(({ id }) => id)

test('whoever is removed, one after the other, leaves a quorum of those who answer', () => {
  let removals = 0

  fc.assert(
    fc.property(seen, (observation) => {
      const step = decideMember(observation)
      if (step.do !== 'remove-members') return
      removals += 1
      const members = observation.cluster?.members ?? []
      for (let gone = 1; gone <= step.ids.length; gone += 1) {
        const left = members.filter(
          ({ id, isLearner }) => !isLearner && !step.ids.slice(0, gone).includes(id),
        )
        const alive = left.filter(({ answers }) => answers)
        expect(dumbQuorum(idsOf(left), idsOf(alive)), JSON.stringify(members)).toBe(true)
      }
      for (const { id, answers, isLearner } of members) {
        if (step.ids.includes(id)) expect(answers && !isLearner).toBe(false)
      }
    }),
    { numRuns: 3_000, seed: 1 },
  )

  expect(removals).toBeGreaterThan(20)
})

test('an addition is asked for where those who answer are a quorum with one more', () => {
  const steps: Record<string, number> = {}

  fc.assert(
    fc.property(seen, (observation) => {
      const step = decideMember(observation)
      const voters = observation.cluster?.members ?? []
      steps[step.do] = (steps[step.do] ?? 0) + 1
      const alive = idsOf(voters.filter(({ answers }) => answers))
      // One that is alone may always be joined.
      if (voters.length === 1) return
      if (step.do === 'add-learner') expect(dumbQuorum([...idsOf(voters), 'new'], alive)).toBe(true)
      else if (/adds no member/.test(step.reason)) {
        expect(dumbQuorum([...idsOf(voters), 'new'], alive)).toBe(false)
      }
    }),
    { numRuns: 3_000, seed: 1 },
  )

  expect(steps['add-learner']).toBeGreaterThan(20)
})

test('a member is ended or set aside where the others that serve are a quorum of all', () => {
  const ended: Record<string, number> = {}

  fc.assert(
    fc.property(seen, (observation) => {
      const step = decideMember(observation)
      const members = observation.cluster?.members ?? []
      const isListed = members.some(({ id }) => id === 'm-a')
      if ((step.do !== 'restart' && step.do !== 'set-aside') || !isListed) return
      ended[step.do] = (ended[step.do] ?? 0) + 1
      const voters = members.filter(({ isLearner }) => !isLearner)
      const others = voters.filter(({ id, healthy }) => healthy && id !== 'm-a')
      expect(dumbQuorum(idsOf(voters), idsOf(others)), step.reason).toBe(true)
    }),
    { numRuns: 3_000, seed: 1 },
  )

  expect(ended.restart).toBeGreaterThan(20)
  expect(ended['set-aside']).toBeGreaterThan(20)
})
