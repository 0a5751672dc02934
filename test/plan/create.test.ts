import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { CloudStep, Inventory } from '../../src/clouds/cloud.ts'
import { applyProblems } from '../../src/plan/apply-problems.ts'
import { planApply } from '../../src/plan/create.ts'
import { type ClusterFlags, declarationFromFlags } from '../../src/spec/flags.ts'
import type { Declaration } from '../../src/spec/types.ts'
import { validateDeclaration } from '../../src/spec/validate.ts'
import { soundDeclaration } from '../spec/arbitrary.ts'
import { afterStep, afterSteps, nothing } from './simulated-cloud.ts'

const facts = { agentSha256: 'ab'.repeat(32) }

function declared(flags: ClusterFlags): Declaration {
  const { declaration } = declarationFromFlags({ name: 'x', ...flags })
  if (!declaration) throw new Error('these flags must be right')
  return declaration
}

const lines = (steps: readonly CloudStep[]): string[] =>
  steps.map((step) => `${step.action} | ${step.where} | ${step.reason}`)

const resize = (declaration: Declaration, name: string, size: number): Declaration => ({
  ...declaration,
  groups: declaration.groups.map((group) =>
    group.metadata.name === name ? { ...group, spec: { ...group.spec, size } } : group,
  ),
})

describe('the plan of a new cluster', () => {
  test('keeps the machines away from its pods and services', () => {
    const { podCidr, serviceCidr } = declared({ masters: 1, workers: 0 }).cluster.spec.networking

    const [first] = planApply(declared({ masters: 1, workers: 0 }), nothing(), facts)

    expect(first).toMatchObject({ action: 'create-network', taken: [podCidr, serviceCidr] })
  })

  test('makes everything in the order in which it is needed', () => {
    const plan = planApply(declared({ masters: 3, workers: 2 }), nothing(), facts)

    expect(lines(plan)).toEqual([
      'create-network | network (a free range) | machines reach each other and nothing else',
      'create-endpoint | endpoint, port 6443 | one address in front of all masters, which stays when masters change',
      'create-volume | volume main of seat a, zone a | etcd main of master-a is kept on it and outlives the machine',
      'create-volume | volume events of seat a, zone a | etcd events of master-a is kept on it and outlives the machine',
      'create-volume | volume main of seat b, zone b | etcd main of master-b is kept on it and outlives the machine',
      'create-volume | volume events of seat b, zone b | etcd events of master-b is kept on it and outlives the machine',
      'create-volume | volume main of seat c, zone c | etcd main of master-c is kept on it and outlives the machine',
      'create-volume | volume events of seat c, zone c | etcd events of master-c is kept on it and outlives the machine',
      'set-group | group master-a | master in seat a, zone a: a dead machine is replaced',
      'set-group | group master-b | master in seat b, zone b: a dead machine is replaced',
      'set-group | group master-c | master in seat c, zone c: a dead machine is replaced',
      'set-group | group nodes | 2 machines in zones a, b and c: dead ones are replaced',
    ])
  })

  test('tells each machine its cluster, group, role, version and agent, and no more', () => {
    const plan = planApply(declared({ masters: 1, workers: 0 }), nothing(), facts)

    const told = plan.flatMap((step) => (step.action === 'set-group' ? [step.userData] : []))
    expect(told[0]).toEqual({
      cluster: 'x',
      group: 'master-a',
      role: 'master',
      kubernetesVersion: '1.36.3',
      agentSha256: facts.agentSha256,
    })
  })
})

describe('the plan of a cluster that is there', () => {
  const declaration = declared({ masters: 3, workers: 1 })
  const there = afterSteps(nothing(), planApply(declaration, nothing(), facts))

  test.each<[string, Declaration, Partial<Inventory>, string[]]>([
    ['all as declared', declaration, {}, []],
    [
      'more workers',
      resize(declaration, 'nodes', 3),
      {},
      ['set-group | group nodes | grows from 1 to 3 machines'],
    ],
    [
      'no workers',
      resize(declaration, 'nodes', 0),
      {},
      ['set-group | group nodes | shrinks from 1 to 0 machines'],
    ],
    [
      'a master stopped',
      resize(declaration, 'master-b', 0),
      {},
      [
        'set-group | group master-b | shrinks from 1 to 0 machines: the master stops, its seat and volumes stay',
      ],
    ],
    [
      'a group no longer declared',
      { ...declaration, groups: declaration.groups.slice(0, 3) },
      {},
      ['delete-group | group nodes | it is no longer declared'],
    ],
    ['a machine dead: its group replaces it, not the plan', declaration, { machines: [] }, []],
    [
      'a volume lost',
      declaration,
      { volumes: there.volumes.filter((volume) => volume.seat !== 'b' || volume.etcd !== 'events') },
      [
        'create-volume | volume events of seat b, zone b | etcd events of master-b is kept on it and outlives the machine',
      ],
    ],
    [
      'the agent is another',
      declaration,
      {
        groups: there.groups.map((group) =>
          group.userData && group.role === 'node'
            ? { ...group, userData: { ...group.userData, agentSha256: 'old' } }
            : group,
        ),
      },
      ['set-group | group nodes | its next machine starts the agent abababababab'],
    ],
    [
      'a cloud that cannot say what machines are told',
      declaration,
      { groups: there.groups.map(({ name, role, zones, size }) => ({ name, role, zones, size })) },
      [],
    ],
  ])('%s', (_, wanted, observed, expected) => {
    expect(lines(planApply(wanted, { ...there, ...observed }, facts))).toEqual(expected)
  })

  test('leaves alone what it could not reach, and applyProblems says why', () => {
    const [first, ...others] = declaration.groups
    if (!first) throw new Error('there is a master')
    const moved: Declaration = {
      ...declaration,
      groups: [{ ...first, spec: { ...first.spec, zones: ['b'] } }, ...others.slice(1)],
    }

    const plan = planApply(moved, there, facts)

    expect(plan).toEqual([])
    expect(
      applyProblems(moved, there).map(({ severity, path, message }) => `${severity} ${path}: ${message}`),
    ).toEqual([
      'error groups: master group master-b is there and no longer declared: taking a master away changes the members of etcd',
      'error groups[0].spec.zones: master group master-a cannot move from zone a to zone b: the volumes of seat a are in a',
    ])
  })
})

describe('any sound declaration', () => {
  test('is reached by its plan, and planning again gives nothing', () => {
    fc.assert(
      fc.property(soundDeclaration, soundDeclaration, fc.nat(), (first, second, cut) => {
        const begun = planApply(first, nothing(), facts)
        const there = afterSteps(nothing(), begun.slice(0, cut % (begun.length + 1)))
        if (applyProblems(second, there).some((problem) => problem.severity === 'error')) return

        const after = afterSteps(there, planApply(second, there, facts))

        expect(planApply(second, after, facts)).toEqual([])
        expect(applyProblems(second, after)).toEqual([])
      }),
      { numRuns: 500 },
    )
  })

  test('ends with an odd number of masters, each with its two volumes in its zone', () => {
    fc.assert(
      fc.property(soundDeclaration, (declaration) => {
        expect(validateDeclaration(declaration).filter((problem) => problem.severity === 'error')).toEqual([])

        const plan = planApply(declaration, nothing(), facts)

        const masters = plan.filter((step) => step.action === 'set-group' && step.group.role === 'master')
        expect(masters.length % 2).toBe(1)
        for (const { spec } of declaration.groups.filter(
          (group) => group.spec.role === 'master' && group.spec.size === 1,
        )) {
          const volumes = plan.flatMap((step) =>
            step.action === 'create-volume' && step.volume.seat === spec.seat ? [step.volume] : [],
          )
          expect(volumes.map(({ etcd, zone }) => [etcd, zone])).toEqual([
            ['main', spec.zones[0]],
            ['events', spec.zones[0]],
          ])
        }
      }),
      { numRuns: 200 },
    )
  })

  test('never loses a master or a volume to a plan, whatever was there', () => {
    fc.assert(
      fc.property(soundDeclaration, soundDeclaration, (first, second) => {
        let inventory = afterSteps(nothing(), planApply(first, nothing(), facts))
        const volumes = inventory.volumes.length

        for (const step of planApply(second, inventory, facts)) {
          const masters = inventory.groups.filter((group) => group.role === 'master').length
          inventory = afterStep(inventory, step)
          expect(inventory.groups.filter((group) => group.role === 'master').length).toBeGreaterThanOrEqual(
            masters,
          )
        }

        expect(inventory.volumes.length).toBeGreaterThanOrEqual(volumes)
      }),
      { numRuns: 200 },
    )
  })

  test('of a thousand groups is planned at once', () => {
    const base = declared({ masters: 3, workers: 1 })
    const nodes = base.groups[3]
    if (!nodes) throw new Error('there are nodes')
    const groups = Array.from({ length: 1000 }, (_, index) => ({
      ...nodes,
      metadata: { ...nodes.metadata, name: `g${index}` },
    }))
    const large = { ...base, groups: [...base.groups, ...groups] }
    const before = performance.now()

    const plan = planApply(large, afterSteps(nothing(), planApply(base, nothing(), facts)), facts)

    expect(plan).toHaveLength(1000)
    expect(performance.now() - before).toBeLessThan(1000)
  })
})
