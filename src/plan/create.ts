import type { CloudStep, Inventory, ObservedGroup, UserData, Volume } from '../clouds/cloud.ts'
import { inSeatOrder } from '../spec/master-groups.ts'
import { andList } from '../spec/nearest.ts'
import { type Declaration, ETCD_NAMES, type InstanceGroupSpec } from '../spec/types.ts'

/** What a plan needs to know besides the declaration and the inventory. */
export interface ApplyFacts {
  /** SHA-256 of the agent's bundle, hexadecimal. */
  agentSha256: string
}

/**
 * The steps from what is there to what is declared: only what is missing or different, and nothing
 * when all is there. Pure. Network, endpoint, volumes, masters, nodes; groups of nodes that are no
 * longer declared go last. What cannot be reached by steps is left alone here and named by
 * `applyProblems`: a master's group is never deleted, no volume moved.
 */
export function planApply(declaration: Declaration, inventory: Inventory, facts: ApplyFacts): CloudStep[] {
  const groups = inSeatOrder(declaration.groups)
  const masters = groups.filter((group) => group.spec.role === 'master')
  return [
    ...foundations(declaration, inventory),
    ...masters.flatMap((group) => volumeSteps(declaration, group, inventory.volumes)),
    ...groups.flatMap((group) => groupStep(declaration, group, inventory, facts)),
    ...inventory.groups
      .filter(
        ({ name, role }) =>
          role === 'node' && !declaration.groups.some((group) => group.metadata.name === name),
      )
      .map(
        ({ name }): CloudStep => ({
          where: `group ${name}`,
          reason: 'it is no longer declared',
          action: 'delete-group',
          group: name,
        }),
      ),
  ]
}

function foundations({ cluster }: Declaration, inventory: Inventory): CloudStep[] {
  const { networking, egress, api } = cluster.spec
  const steps: CloudStep[] = []
  if (!inventory.network)
    steps.push({
      where: `network ${networking.machineCidr ?? '(a free range)'}`,
      reason:
        egress === 'nat'
          ? 'machines reach each other and the outside'
          : 'machines reach each other and nothing else',
      action: 'create-network',
      ...(networking.machineCidr === undefined ? {} : { cidr: networking.machineCidr }),
      taken: [networking.podCidr, networking.serviceCidr],
      egress,
    })
  if (!inventory.endpoint)
    steps.push({
      where: `endpoint, port ${api.port}`,
      reason: 'one address in front of all masters, which stays when masters change',
      action: 'create-endpoint',
      port: api.port,
    })
  return steps
}

/** A stopped master (size 0) keeps the volumes it has, and needs none that it never had. */
function volumeSteps(
  { cluster }: Declaration,
  group: InstanceGroupSpec,
  volumes: readonly Volume[],
): CloudStep[] {
  const { seat, size, zones } = group.spec
  const [zone] = zones
  if (seat === undefined || zone === undefined || size === 0) return []
  return ETCD_NAMES.filter(
    (etcd) => !volumes.some((volume) => volume.seat === seat && volume.etcd === etcd),
  ).map((etcd) => ({
    where: `volume ${etcd} of seat ${seat}, zone ${zone}`,
    reason: `etcd ${etcd} of ${group.metadata.name} is kept on it and outlives the machine`,
    action: 'create-volume',
    volume: { seat, etcd, zone, sizeGib: cluster.spec.etcd[etcd].volumeSizeGib },
  }))
}

function groupStep(
  { cluster }: Declaration,
  group: InstanceGroupSpec,
  inventory: Inventory,
  facts: ApplyFacts,
): CloudStep[] {
  const { role, size, zones, seat } = group.spec
  const { name } = group.metadata
  const observed = inventory.groups.find((one) => one.name === name)
  if (observed && (observed.role !== role || (role === 'master' && !sameZones(observed.zones, zones))))
    return []
  if (
    role === 'master' &&
    inventory.volumes.some((volume) => volume.seat === seat && volume.zone !== zones[0])
  )
    return []
  const userData: UserData = {
    cluster: cluster.metadata.name,
    group: name,
    role,
    kubernetesVersion: cluster.spec.kubernetesVersion,
    agentSha256: facts.agentSha256,
  }
  const reason = observed ? changeReason(observed, group, userData) : newReason(group)
  if (reason === undefined) return []
  const step: CloudStep = {
    where: `group ${name}`,
    reason,
    action: 'set-group',
    group: { name, role, zones: [...zones], size },
    userData,
  }
  return [step]
}

const machines = (count: number): string => `${count} machine${count === 1 ? '' : 's'}`

const newReason = ({ spec }: InstanceGroupSpec): string =>
  spec.role === 'master'
    ? `master in seat ${spec.seat}, zone ${spec.zones[0]}: a dead machine is replaced`
    : `${machines(spec.size)} in zone${spec.zones.length === 1 ? '' : 's'} ${andList(spec.zones)}: dead ones are replaced`

/** Why a group that is there changes, or undefined when it is as declared. */
function changeReason(
  observed: ObservedGroup,
  group: InstanceGroupSpec,
  userData: UserData,
): string | undefined {
  const { size, zones, role } = group.spec
  const reasons: string[] = []
  if (observed.size !== size) {
    const direction = size > observed.size ? 'grows' : 'shrinks'
    const stopped = role === 'master' && size === 0 ? ': the master stops, its seat and volumes stay' : ''
    reasons.push(`${direction} from ${observed.size} to ${machines(size)}${stopped}`)
  }
  if (!sameZones(observed.zones, zones)) reasons.push(`zones become ${andList(zones)}`)
  const told = observed.userData
  if (told && told.agentSha256 !== userData.agentSha256)
    reasons.push(`its next machine starts the agent ${userData.agentSha256.slice(0, 12)}`)
  return reasons.length > 0 ? reasons.join('; ') : undefined
}

const sameZones = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && [...a].sort().every((zone, index) => zone === [...b].sort()[index])
