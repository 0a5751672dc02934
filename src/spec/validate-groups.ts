import type { Problem } from '../errors.ts'
import { labelFault, labelKeyFault, labelValueFault, reservedLabel, TAINT_EFFECTS } from './names.ts'
import { nearest, orList } from './nearest.ts'
import type { Declaration, InstanceGroupSpec } from './types.ts'

/** Machines and nodes are named after their group; a node's name has 63 characters at most. */
const longestGroupName = 40
/** https://kubernetes.io/docs/setup/best-practices/cluster-large/ */
const mostNodes = 5000

type Fault = (path: string, message: string, remedy: string) => void

/** Names, zones, sizes, labels and taints of groups. Masters have more rules of their own. */
export function groupProblems({ cluster, groups }: Declaration): Problem[] {
  const problems: Problem[] = []
  const seen = new Map<string, number>()
  for (const [index, group] of groups.entries()) {
    const error: Fault = (path, message, remedy) =>
      problems.push({ severity: 'error', path: `groups[${index}].${path}`, message, remedy })
    const { name } = group.metadata
    const fault = labelFault(name, longestGroupName)
    if (fault)
      error('metadata.name', `the group's name "${name}" ${fault}`, 'Use a name such as nodes or master-a.')
    else if (seen.has(name))
      error('metadata.name', `there are two groups with the name ${name}`, 'Give each a name of its own.')
    seen.set(name, index)
    if (group.metadata.cluster !== cluster.metadata.name)
      error(
        'metadata.cluster',
        `group ${name} belongs to ${group.metadata.cluster}, and the cluster is ${cluster.metadata.name}`,
        `Write ${cluster.metadata.name}.`,
      )
    zoneFaults(group, cluster.spec.zones, error)
    if (!Number.isInteger(group.spec.size) || group.spec.size < 0 || group.spec.size > mostNodes)
      error('spec.size', `group ${name} cannot have ${group.spec.size} machines`, `Use 0 to ${mostNodes}.`)
    labelFaults(group, error)
    taintFaults(group, error)
  }
  return problems
}

function zoneFaults(group: InstanceGroupSpec, known: readonly string[], error: Fault): void {
  const { zones } = group.spec
  if (zones.length === 0)
    error('spec.zones', `group ${group.metadata.name} has no zone`, 'Name one zone at least.')
  for (const [index, zone] of zones.entries()) {
    const meant = nearest(zone, known)
    if (!known.includes(zone))
      error(
        `spec.zones[${index}]`,
        `group ${group.metadata.name} is in zone ${zone}, which the cluster does not have`,
        meant && zone.length > 1 ? `Did you mean ${meant}?` : `The cluster has ${orList(known) || 'none'}.`,
      )
    else if (zones.indexOf(zone) < index)
      error(`spec.zones[${index}]`, `zone ${zone} is there twice`, 'Name it once.')
  }
}

function labelFaults(group: InstanceGroupSpec, error: Fault): void {
  for (const [key, value] of Object.entries(group.spec.nodeLabels)) {
    const path = `spec.nodeLabels["${key}"]`
    const keyFault = labelKeyFault(key)
    const valueFault = labelValueFault(value)
    if (keyFault) error(path, `the label "${key}" ${keyFault}`, 'Use a label such as example.com/disk.')
    else if (reservedLabel(key))
      error(
        path,
        `the label ${key} may not be set by a node itself`,
        'Use a prefix of your own, or node.kubernetes.io/.',
      )
    if (valueFault)
      error(path, `the value "${value}" of label ${key} ${valueFault}`, 'Use a value such as ssd.')
  }
}

function taintFaults(group: InstanceGroupSpec, error: Fault): void {
  for (const [index, taint] of group.spec.taints.entries()) {
    const path = `spec.taints[${index}]`
    const [, key = '', , value = '', effect = ''] = /^([^=:]*)(=([^:]*))?:(.*)$/.exec(taint) ?? []
    const fault = key === '' ? 'is not of the form key=value:Effect' : labelKeyFault(key)
    const meant = nearest(effect, TAINT_EFFECTS)
    if (fault) error(path, `the taint "${taint}" ${fault}`, 'Write, for example, dedicated=gpu:NoSchedule.')
    else if (labelValueFault(value))
      error(
        path,
        `the taint "${taint}" has the value "${value}", which ${labelValueFault(value)}`,
        'Write, for example, dedicated=gpu:NoSchedule.',
      )
    else if (!TAINT_EFFECTS.some((known) => known === effect))
      error(
        path,
        `the taint "${taint}" has the effect "${effect}"`,
        meant ? `Did you mean ${meant}?` : `It is ${orList(TAINT_EFFECTS)}.`,
      )
  }
}
