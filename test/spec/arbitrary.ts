import fc from 'fast-check'
import { clusterWithDefaults } from '../../src/spec/defaults.ts'
import { masterGroups, nodeGroup } from '../../src/spec/master-groups.ts'
import { API_VERSION, type Declaration } from '../../src/spec/types.ts'

const anyText = fc.oneof(
  fc.string({ maxLength: 30 }),
  fc.string({ unit: 'binary', maxLength: 10 }),
  fc.constantFrom(
    'yes',
    'null',
    '~',
    '1.36',
    '0x1f',
    '1e3',
    '- a',
    'a: b',
    '#',
    ' x ',
    'line\nline',
    "'",
    '"',
    '*a',
    '&a',
    '!t',
    '2001-01-01',
  ),
)
/** `__proto__` is refused by the reader. */
const labels = fc.dictionary(
  anyText.filter((key) => key !== '__proto__'),
  anyText,
  { maxKeys: 4, noNullPrototype: true },
)
const given = <T extends object>(fields: T): T =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })

/** Declarations with any words in them, valid or not: for writing and reading back. */
export const wildDeclaration: fc.Arbitrary<Declaration> = fc
  .record({
    name: anyText,
    zones: fc.array(anyText, { minLength: 1, maxLength: 3 }),
    masters: fc.integer({ min: 0, max: 5 }),
    size: fc.nat(),
    dnsZone: maybe(anyText),
    machineCidr: maybe(anyText),
    dnsName: maybe(anyText),
    cloud: fc.constantFrom('local' as const, 'aws' as const, 'hosts' as const),
    extraNames: fc.array(anyText, { maxLength: 3 }),
    cloudLabels: labels,
    nodeLabels: labels,
    taints: fc.array(anyText, { maxLength: 3 }),
    machineType: maybe(anyText),
    image: maybe(anyText),
    securityGroups: fc.array(anyText, { maxLength: 3 }),
  })
  .map((one) => {
    const { machineType, image, securityGroups, nodeLabels, taints } = one
    const fields = given({ machineType, image, securityGroups })
    return {
      cluster: clusterWithDefaults({
        apiVersion: API_VERSION,
        kind: 'Cluster',
        metadata: { name: one.name },
        spec: {
          cloud: one.cloud,
          zones: one.zones,
          networking: { machineCidr: one.machineCidr },
          api: { dnsName: one.dnsName, extraNames: one.extraNames },
          dnsZone: one.dnsZone,
          cloudLabels: one.cloudLabels,
        },
      }),
      groups: [
        ...masterGroups(one.name, one.zones, one.masters, fields),
        nodeGroup(one.name, one.zones, one.size, { ...fields, nodeLabels, taints }),
      ],
    }
  })

/** Declarations without a fault, on the local cloud. */
export const soundDeclaration: fc.Arbitrary<Declaration> = fc
  .record({
    zones: fc.constantFrom<string[]>(['a'], ['a', 'b'], ['a', 'b', 'c'], ['c', 'a', 'b']),
    masters: fc.constantFrom(1, 3, 5, 7),
    nodeGroups: fc.uniqueArray(fc.constantFrom('nodes', 'gpu', 'spare'), { maxLength: 3 }),
    sizes: fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 3, maxLength: 3 }),
    stopped: fc.boolean(),
    machineCidr: fc.constantFrom(undefined, '172.30.0.0/24'),
    egress: fc.constantFrom('none' as const, 'nat' as const),
  })
  .map((one) => {
    const nodes = one.nodeGroups.map((name, index) => {
      const group = nodeGroup('x', one.zones, one.sizes[index] ?? 1)
      return { ...group, metadata: { ...group.metadata, name } }
    })
    const masters = masterGroups('x', one.zones, one.masters).map((group, index) =>
      one.stopped && index === 1 ? { ...group, spec: { ...group.spec, size: 0 } } : group,
    )
    return {
      cluster: clusterWithDefaults({
        apiVersion: API_VERSION,
        kind: 'Cluster',
        metadata: { name: 'x' },
        spec: { zones: one.zones, egress: one.egress, networking: { machineCidr: one.machineCidr } },
      }),
      groups: [...masters, ...nodes],
    }
  })
