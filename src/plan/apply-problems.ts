import type { Inventory } from '../clouds/cloud.ts'
import type { Problem } from '../errors.ts'
import { type Declaration, ETCD_NAMES } from '../spec/types.ts'

/**
 * What is declared and cannot be reached from what is there. Errors refuse the whole plan; nothing
 * may be carried out then. Pure. Paths are those of the declaration.
 */
export function applyProblems({ cluster, groups }: Declaration, inventory: Inventory): Problem[] {
  const problems: Problem[] = []
  const at = (severity: Problem['severity'], path: string, message: string, remedy: string) =>
    problems.push({ severity, path, message, remedy })

  for (const observed of inventory.groups) {
    if (observed.role !== 'master' || groups.some((group) => group.metadata.name === observed.name)) continue
    at(
      'error',
      'groups',
      `master group ${observed.name} is there and no longer declared: taking a master away changes the members of etcd`,
      'Declare it again. With the size 0 it is stopped, and keeps its seat and its volumes.',
    )
  }
  for (const [index, group] of groups.entries()) {
    const { name } = group.metadata
    const { role, seat, zones } = group.spec
    const observed = inventory.groups.find((one) => one.name === name)
    if (observed && observed.role !== role) {
      const message = `group ${name} is one of ${observed.role}s and cannot become one of ${role}s`
      at('error', `groups[${index}].spec.role`, message, 'Declare a group with another name.')
      continue
    }
    if (role !== 'master') continue
    const zone = zones[0] ?? ''
    const elsewhere = inventory.volumes.find((volume) => volume.seat === seat && volume.zone !== zone)
    const from = elsewhere?.zone ?? observed?.zones.find((one) => one !== zone)
    if (from !== undefined)
      at(
        'error',
        `groups[${index}].spec.zones`,
        `master group ${name} cannot move from zone ${from} to zone ${zone}: the volumes of seat ${seat} are in ${from}`,
        `Write ${from}.`,
      )
  }
  for (const etcd of ETCD_NAMES) {
    const wanted = cluster.spec.etcd[etcd].volumeSizeGib
    const sizes = inventory.volumes.filter((volume) => volume.etcd === etcd).map((volume) => volume.sizeGib)
    const path = `cluster.spec.etcd.${etcd}.volumeSizeGib`
    const largest = Math.max(...sizes)
    const smallest = Math.min(...sizes)
    if (sizes.length > 0 && largest > wanted)
      at(
        'error',
        path,
        `volumes of etcd ${etcd} have ${largest} GiB and cannot shrink to ${wanted}`,
        `Write ${largest}.`,
      )
    else if (sizes.length > 0 && smallest < wanted)
      at(
        'warning',
        path,
        `volumes of etcd ${etcd} that are there keep their ${smallest} GiB`,
        'New volumes get the new size.',
      )
  }
  const { network, endpoint } = inventory
  const { networking, api } = cluster.spec
  if (network && networking.machineCidr !== undefined && networking.machineCidr !== network.cidr)
    at(
      'error',
      'cluster.spec.networking.machineCidr',
      `the network is ${network.cidr} and cannot become ${networking.machineCidr}`,
      `Write ${network.cidr}, or nothing.`,
    )
  if (endpoint && endpoint.port !== api.port)
    at(
      'error',
      'cluster.spec.api.port',
      `the endpoint has the port ${endpoint.port} and cannot get ${api.port}`,
      `Write ${endpoint.port}.`,
    )
  return problems
}
