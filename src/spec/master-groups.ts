import { groupWithDefaults } from './defaults.ts'
import { API_VERSION, type InstanceGroupSpec } from './types.ts'

/**
 * One group of size one for each master, spread over the zones in turn: the first master is in the
 * first zone and sits in seat a. `master-ZONE`, or `master-ZONE-1` and so on where a zone has several.
 */
export function masterGroups(
  cluster: string,
  zones: readonly string[],
  count: number,
  fields: Partial<InstanceGroupSpec['spec']> = {},
): InstanceGroupSpec[] {
  const zoneOf = (index: number): string => zones[index % zones.length] ?? ''
  const perZone = (zone: string): number =>
    Array.from({ length: count }, (_, index) => zoneOf(index)).filter((one) => one === zone).length
  return Array.from({ length: count }, (_, index) => {
    const zone = zoneOf(index)
    const ordinal = Math.floor(index / zones.length) + 1
    return groupWithDefaults({
      apiVersion: API_VERSION,
      kind: 'InstanceGroup',
      metadata: { name: perZone(zone) > 1 ? `master-${zone}-${ordinal}` : `master-${zone}`, cluster },
      spec: {
        ...fields,
        role: 'master',
        zones: [zone],
        size: 1,
        seat: String.fromCharCode('a'.charCodeAt(0) + index),
      },
    })
  })
}

/** Masters from seat to seat, then the others as they came. */
export function inSeatOrder(groups: readonly InstanceGroupSpec[]): InstanceGroupSpec[] {
  const masters = groups.filter((group) => group.spec.role === 'master')
  const seat = (group: InstanceGroupSpec) => group.spec.seat ?? ''
  return [
    ...masters.toSorted((a, b) => seat(a).localeCompare(seat(b))),
    ...groups.filter((group) => group.spec.role !== 'master'),
  ]
}

/** The group `nodes`, over all the zones. */
export const nodeGroup = (
  cluster: string,
  zones: readonly string[],
  size: number,
  fields: Partial<InstanceGroupSpec['spec']> = {},
): InstanceGroupSpec =>
  groupWithDefaults({
    apiVersion: API_VERSION,
    kind: 'InstanceGroup',
    metadata: { name: 'nodes', cluster },
    spec: { ...fields, role: 'node', zones: [...zones], size },
  })
