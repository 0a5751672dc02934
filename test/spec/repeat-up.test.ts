import { describe, expect, test } from 'vitest'
import { diffDeclarations } from '../../src/spec/difference.ts'
import { type ClusterFlags, declarationFromFlags } from '../../src/spec/flags.ts'
import { repeatUp } from '../../src/spec/repeat-up.ts'
import type { Declaration } from '../../src/spec/types.ts'

function declared(flags: ClusterFlags): Declaration {
  const { declaration } = declarationFromFlags({ name: 'x', ...flags })
  if (!declaration) throw new Error('these flags must be right')
  return declaration
}

describe('up again', () => {
  const existing = declared({ masters: 1, zones: 'a,b', workers: 1, egress: 'nat' })

  test('without flags keeps what is there', () => {
    const { declaration, errors } = repeatUp(existing, { name: 'x' })

    expect(errors).toEqual([])
    expect(declaration).toEqual(existing)
  })

  test('changes the number of workers and nothing else', () => {
    const { declaration, errors } = repeatUp(existing, { name: 'x', workers: '3' })

    expect(errors).toEqual([])
    expect(declaration && diffDeclarations(existing, declaration)).toEqual([
      { path: 'groups[nodes].spec.size', from: 1, to: 3 },
    ])
  })

  test('with the flags of the first time changes nothing', () => {
    const { declaration, errors } = repeatUp(existing, {
      name: 'x',
      masters: 1,
      zones: 'a,b',
      workers: 1,
      egress: 'nat',
    })

    expect(errors).toEqual([])
    expect(declaration).toEqual(existing)
  })

  test.each<[ClusterFlags, string[]]>([
    [{ masters: '3' }, ['--masters']],
    [{ masterZones: 'b' }, ['--master-zones']],
    [{ zones: 'a,b,c' }, ['cluster.spec.zones', 'groups[nodes].spec.zones']],
    [{ networking: 'routed' }, ['cluster.spec.networking.kind']],
    [{ egress: 'none' }, ['cluster.spec.egress']],
    [{ podCidr: '10.50.0.0/16' }, ['cluster.spec.networking.podCidr']],
    [{ kubernetesVersion: '1.4.0' }, ['--kubernetes-version']],
    [{ masters: '2' }, ['--masters']],
    [{ masters: 'many' }, ['--masters']],
  ])('with %j is refused by name', (flags, paths) => {
    const { declaration, errors } = repeatUp(existing, { name: 'x', ...flags })

    expect(declaration).toBeUndefined()
    expect(errors.map((problem) => problem.path)).toEqual(paths)
  })

  test.each<[ClusterFlags, string[]]>([
    [{ masters: '3' }, []],
    [{ controlPlanes: '3', zones: 'a,b,c' }, []],
    [{ workers: '2' }, ['groups[nodes]']],
    [{ masterZones: 'c,b,a' }, []],
    [{ masters: '5' }, ['--masters']],
    [{ zones: 'a,b' }, ['cluster.spec.zones']],
  ])('whose masters a file gave other names, with %j', (flags, paths) => {
    const { cluster, groups } = declared({ zones: 'a,b,c', workers: 0 })
    const names = ['first', 'second', 'third', 'gpu']
    const fromFile: Declaration = {
      cluster,
      groups: groups.map((group, index) => ({
        ...group,
        metadata: { ...group.metadata, name: names[index] ?? '' },
      })),
    }

    const { declaration, errors } = repeatUp(fromFile, { name: 'x', ...flags })

    expect(errors.map((problem) => problem.path)).toEqual(paths)
    expect(declaration).toEqual(paths.length === 0 ? fromFile : undefined)
  })

  test('keeps what only a file can say', () => {
    const [master, nodes] = existing.groups
    if (!master || !nodes) throw new Error('two groups')
    const gpu = {
      ...nodes,
      metadata: { ...nodes.metadata, name: 'gpu' },
      spec: { ...nodes.spec, taints: ['gpu:NoSchedule'] },
    }
    const fromFile: Declaration = {
      cluster: { ...existing.cluster, spec: { ...existing.cluster.spec, cloudLabels: { Team: 'Dev' } } },
      groups: [{ ...master, metadata: { ...master.metadata, name: 'first' } }, gpu],
    }

    const { declaration, errors } = repeatUp(fromFile, { name: 'x' })

    expect(errors).toEqual([])
    expect(declaration).toEqual(fromFile)
  })
})
