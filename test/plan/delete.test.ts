import fc from 'fast-check'
import { expect, test } from 'vitest'
import { planApply } from '../../src/plan/create.ts'
import { planDelete } from '../../src/plan/delete.ts'
import { soundDeclaration } from '../spec/arbitrary.ts'
import { afterSteps, nothing } from './simulated-cloud.ts'

const facts = { agentSha256: 'ab'.repeat(32) }

test('deleting leaves nothing, from any point of a creation, and can be cut off anywhere', () => {
  fc.assert(
    fc.property(soundDeclaration, fc.nat(), fc.nat(), (declaration, made, cut) => {
      const creation = planApply(declaration, nothing(), facts)
      const there = afterSteps(nothing(), creation.slice(0, made % (creation.length + 1)))
      const deletion = planDelete(there)

      const halfWay = afterSteps(there, deletion.slice(0, cut % (deletion.length + 1)))

      expect(afterSteps(halfWay, planDelete(halfWay))).toEqual(nothing())
      expect(planDelete(nothing())).toEqual([])
    }),
    { numRuns: 200 },
  )
})

test('groups go before their machines, machines before volumes, then endpoint and network', () => {
  const order = ['delete-endpoint', 'delete-group', 'terminate-machine', 'delete-volume', 'delete-network']
  fc.assert(
    fc.property(soundDeclaration, (declaration) => {
      const there = afterSteps(nothing(), planApply(declaration, nothing(), facts))

      const ranks = planDelete(there).map((step) => order.indexOf(step.action))

      expect(ranks).toEqual([...ranks].sort((a, b) => a - b))
      expect(ranks).not.toContain(-1)
    }),
    { numRuns: 50 },
  )
})

test('says why, and that data is lost', () => {
  const there = {
    ...nothing(),
    network: { cidr: '172.31.0.0/24', gateway: '172.31.0.1', device: 'br0' },
    groups: [
      { name: 'master-a', role: 'master' as const, zones: ['a'], size: 1 },
      { name: 'nodes', role: 'node' as const, zones: ['a'], size: 0 },
    ],
    volumes: [{ id: 'v1', seat: 'a', etcd: 'main' as const, zone: 'a', sizeGib: 5 }],
  }

  expect(planDelete(there).map((step) => `${step.where}: ${step.reason}`)).toEqual([
    'group nodes: so that no machine is replaced any more',
    'group master-a: so that no machine is replaced any more',
    'volume v1, zone a: etcd main of seat a: its data is lost with it',
    'network 172.31.0.0/24 (br0): no machine is left in it',
  ])
})
