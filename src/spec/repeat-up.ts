import type { Problem } from '../errors.ts'
import { type Difference, diffDeclarations, isWorkerCount } from './difference.ts'
import { type ClusterFlags, declarationFromFlags, type FlagsResult } from './flags.ts'
import type { Declaration } from './types.ts'
import type { Circumstances } from './validate.ts'

const text = (value: unknown): string => (Array.isArray(value) ? value.join(',') : String(value ?? 'not set'))

/** What two declarations have differently, and its name in a sentence where that is not the path. */
type Change = Difference & { what?: string }

function changeText({ path, what = path, from, to }: Change): string {
  const added = /^groups\[([^\]]*)\]$/.exec(path)?.[1]
  return added === undefined
    ? `${what} is ${text(from)} and would become ${text(to)}`
    : `the group ${added} would be added`
}

/**
 * `up` for a cluster that is declared already: flags that are not given keep what is there, the
 * number of workers may differ, and any other difference is refused by name.
 * The declaration is the existing one with the new number of workers. `differs` where the flags are
 * right in themselves.
 */
export function repeatUp(
  existing: Declaration,
  flags: ClusterFlags,
  circumstances: Circumstances = {},
): FlagsResult & { differs?: true } {
  const { spec, metadata } = existing.cluster
  const nodes = existing.groups.find((group) => group.spec.role === 'node' && group.metadata.name === 'nodes')
  const countGiven = [flags.masters, flags.controlPlanes, flags.masterCount, flags.controlPlaneCount].some(
    (value) => value !== undefined,
  )
  const zonesGiven = (flags.masterZones ?? flags.controlPlaneZones) !== undefined
  const wanted = declarationFromFlags(
    {
      ...flags,
      name: metadata.name,
      cloud: flags.cloud ?? spec.cloud,
      zones: flags.zones ?? spec.zones,
      networking: flags.networking ?? spec.networking.kind,
      podCidr: flags.podCidr ?? spec.networking.podCidr,
      serviceCidr: flags.serviceCidr ?? spec.networking.serviceCidr,
      networkCidr: flags.networkCidr ?? spec.networking.machineCidr,
      kubernetesVersion: flags.kubernetesVersion ?? spec.kubernetesVersion,
      topology: flags.topology ?? spec.topology,
      egress: flags.egress ?? spec.egress,
      workers: flags.workers ?? flags.nodeCount ?? nodes?.spec.size ?? 0,
      ...(countGiven ? {} : { masters: masterZones(existing).length }),
    },
    circumstances,
  )
  if (!wanted.declaration) return wanted
  const { declaration } = wanted
  // What a file calls its masters is nothing that flags speak of: how many there are counts, and where.
  const masterChange = (path: string, what: string, of: (zones: string[]) => unknown): Change[] => {
    const [from, to] = [of(masterZones(existing)), of(masterZones(declaration))]
    return from === to ? [] : [{ path, what, from, to }]
  }
  const differences: Change[] = [
    ...diffDeclarations(existing, declaration).filter(
      (difference) => !isWorkerCount(difference, existing) && asked(difference, flags, nodes !== undefined),
    ),
    ...(countGiven ? masterChange('--masters', 'the number of masters', (zones) => zones.length) : []),
    ...(zonesGiven ? masterChange('--master-zones', 'the masters’ zones', (zones) => zones.join()) : []),
  ]
  const errors = differences.map(
    (difference): Problem => ({
      severity: 'error',
      path: difference.path,
      message: changeText(difference),
      remedy:
        'Leave that flag out, or give a new cluster a name of its own: of one that is there, up changes the number of workers only.',
    }),
  )
  if (errors.length > 0) return { errors, blockers: [], warnings: [], differs: true }
  const size = declaration.groups.find((group) => group.metadata.name === 'nodes')?.spec.size
  const groups = existing.groups.map((group) =>
    group === nodes && size !== undefined ? { ...group, spec: { ...group.spec, size } } : group,
  )
  return { ...wanted, declaration: { cluster: existing.cluster, groups } }
}

/** The zone of each master, sorted. */
const masterZones = ({ groups }: Declaration): string[] =>
  groups.flatMap(({ spec }) => (spec.role === 'master' ? [spec.zones.join()] : [])).sort()

/** Whether the user's flags speak of it at all: a cluster declared from a file has more than flags can say. */
function asked({ path }: Difference, flags: ClusterFlags, hasNodes: boolean): boolean {
  const given = (...values: unknown[]) => values.some((value) => value !== undefined)
  if (path === 'cluster.spec.cloud') return given(flags.cloud)
  if (path === 'cluster.spec.dnsZone') return given(flags.dnsZone)
  if (path.startsWith('cluster.spec.cloudLabels')) return given(flags.cloudLabels)
  if (path.startsWith('cluster.spec.api') || path.startsWith('cluster.spec.etcd')) return false
  if (path.startsWith('cluster.spec.networking.clusterDomain')) return false
  if (path.startsWith('cluster.')) return true
  if (path.startsWith('groups[nodes]') && !path.includes('.spec.'))
    return !hasNodes && given(flags.workers, flags.nodeCount)
  if (path.endsWith('.spec.image')) return given(flags.image)
  if (path.endsWith('.spec.machineType'))
    return given(flags.nodeSize, flags.masterSize, flags.controlPlaneSize)
  if (path.endsWith('.spec.securityGroups'))
    return given(flags.nodeSecurityGroups, flags.masterSecurityGroups)
  return path === 'groups[nodes].spec.zones' && given(flags.zones)
}
