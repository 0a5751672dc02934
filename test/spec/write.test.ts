import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { declarationFromFlags } from '../../src/spec/flags.ts'
import { joinDocuments, loadDeclaration } from '../../src/spec/load.ts'
import { parseDocuments } from '../../src/spec/parse.ts'
import { writeDeclaration } from '../../src/spec/write.ts'
import { soundDeclaration, wildDeclaration } from './arbitrary.ts'

describe('a declaration written as YAML', () => {
  test('reads back as it was, whatever words are in it', () => {
    fc.assert(
      fc.property(wildDeclaration, (declaration) => {
        const parsed = parseDocuments(writeDeclaration(declaration), 'x.yaml')

        expect(parsed.problems).toEqual([])
        expect(joinDocuments(parsed.documents).declaration).toEqual(declaration)
      }),
      { numRuns: 100 },
    )
  })

  test('is the same text whatever the order of the fields was', () => {
    fc.assert(
      fc.property(wildDeclaration, (declaration) => {
        const { apiVersion, kind, metadata, spec } = declaration.cluster
        const shuffled = {
          spec: Object.fromEntries(Object.entries(spec).reverse()) as typeof spec,
          metadata,
          kind,
          apiVersion,
        }

        expect(writeDeclaration({ ...declaration, cluster: shuffled })).toBe(writeDeclaration(declaration))
      }),
      { numRuns: 50 },
    )
  })

  test('is accepted whole when it is sound', () => {
    fc.assert(
      fc.property(soundDeclaration, (declaration) => {
        const { problems } = loadDeclaration(writeDeclaration(declaration), 'x.yaml')

        expect(problems.filter((problem) => problem.severity === 'error')).toEqual([])
      }),
      { numRuns: 100 },
    )
  })

  test('explains its important fields', () => {
    const { declaration } = declarationFromFlags({ name: 'one', masters: 1, workers: 0 })

    const text = declaration ? writeDeclaration(declaration) : ''

    expect(text).toContain('# Where the machines live: local, aws or hosts.\n  cloud: local\n')
    expect(text).toContain(
      "# The master's place in etcd. Its name and its volumes stay when the machine is replaced.\n  seat: a\n",
    )
  })
})

describe('a file of any kind', () => {
  test('is answered, never thrown at', () => {
    const line = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.constantFrom(
        'kind: Cluster',
        'kind: InstanceGroup',
        'apiVersion: holdfast.dev/v1',
        'metadata:',
        '  name: x',
        'spec:',
        '  zones: [a]',
        '---',
        '\t',
        '- a',
        '<<: *x',
        '&x a: *x',
        '? {a: b}',
        '__proto__: 1',
        '%YAML 1.2',
        '  <<: {zones: 1}',
        '!!binary x',
        '{[a]: b}',
      ),
    )
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
        const { declaration, problems } = loadDeclaration(lines.join('\n'), 'x.yaml')

        expect(declaration === undefined).toBe(
          problems.some((problem) => problem.severity === 'error' && !problem.blocks),
        )
      }),
      { numRuns: 300 },
    )
  })
})
