import { describe, expect, test } from 'vitest'
import type { CloudStep, Inventory } from '../../src/clouds/cloud.ts'
import { planApply } from '../../src/plan/create.ts'
import { planDelete } from '../../src/plan/delete.ts'
import { simulateQuorum } from '../../src/plan/quorum-line.ts'
import { declarationFromFlags } from '../../src/spec/flags.ts'
import type { Declaration } from '../../src/spec/types.ts'
import { afterSteps, nothing } from './simulated-cloud.ts'

const facts = { agentSha256: 'ab'.repeat(32) }

function masters(count: number): Declaration {
  const { declaration } = declarationFromFlags({ name: 'x', masters: count, workers: 1 })
  if (!declaration) throw new Error('these flags must be right')
  return declaration
}

/** `group: running of voters, may lose N` for the steps on groups. */
const story = (steps: readonly CloudStep[], inventory: Inventory): string[] =>
  simulateQuorum(steps, inventory).flatMap((line, index) => {
    const step = steps[index]
    if (step?.action !== 'set-group' && step?.action !== 'delete-group') return []
    return [
      `${step.where.replace('group ', '')}: ${line.running} of ${line.voters}, ${line.quorum ? `may lose ${line.mayLose}` : 'no quorum'}`,
    ]
  })

const stop = (declaration: Declaration, ...names: string[]): Declaration => ({
  ...declaration,
  groups: declaration.groups.map((group) =>
    names.includes(group.metadata.name) ? { ...group, spec: { ...group.spec, size: 0 } } : group,
  ),
})

describe('the quorum along a plan', () => {
  test('founders form one cluster together', () => {
    const plan = planApply(masters(3), nothing(), facts)

    expect(story(plan, nothing())).toEqual([
      'master-a: 1 of 3, no quorum',
      'master-b: 2 of 3, may lose 0',
      'master-c: 3 of 3, may lose 1',
      'nodes: 3 of 3, may lose 1',
    ])
  })

  test('a creation that was cut off goes on with the same founders', () => {
    const plan = planApply(masters(3), nothing(), facts)
    const halfWay = afterSteps(nothing(), plan.slice(0, 9))

    expect(story(planApply(masters(3), halfWay, facts), halfWay)).toEqual([
      'master-b: 2 of 3, may lose 0',
      'master-c: 3 of 3, may lose 1',
      'nodes: 3 of 3, may lose 1',
    ])
  })

  test('one master becomes three without ever losing the quorum', () => {
    const one = afterSteps(nothing(), planApply(masters(1), nothing(), facts))
    const plan = planApply(masters(3), one, facts)

    expect(story(plan, one)).toEqual(['master-b: 2 of 2, may lose 0', 'master-c: 3 of 3, may lose 1'])
  })

  test('stopped masters stay voters', () => {
    const three = afterSteps(nothing(), planApply(masters(3), nothing(), facts))
    const plan = planApply(stop(masters(3), 'master-a', 'master-b'), three, facts)

    expect(story(plan, three)).toEqual(['master-a: 2 of 3, may lose 0', 'master-b: 1 of 3, no quorum'])
  })

  test('deleting ends it', () => {
    const three = afterSteps(nothing(), planApply(masters(3), nothing(), facts))

    expect(story(planDelete(three), three)).toEqual([
      'nodes: 3 of 3, may lose 1',
      'master-a: 2 of 3, may lose 0',
      'master-b: 1 of 3, no quorum',
      'master-c: 0 of 3, no quorum',
    ])
  })

  test('no masters, no quorum', () => {
    const [network] = planApply(masters(1), nothing(), facts)
    if (!network) throw new Error('there is a first step')

    expect(simulateQuorum([network], nothing())).toEqual([
      { voters: 0, running: 0, needed: 0, mayLose: 0, quorum: false },
    ])
  })
})
