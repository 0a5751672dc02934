import type { CloudStep, Inventory } from '../clouds/cloud.ts'

/**
 * Everything that is there for a cluster, in the order in which it can go: the endpoint, then the
 * groups, so that nothing replaces the machines, workers before masters. Pure; empty when nothing is left.
 */
export function planDelete(inventory: Inventory): CloudStep[] {
  const nodesFirst = <T extends { role: string }>(items: readonly T[]): T[] => [
    ...items.filter((item) => item.role !== 'master'),
    ...items.filter((item) => item.role === 'master'),
  ]
  return [
    ...(inventory.endpoint
      ? [
          {
            where: `endpoint ${inventory.endpoint.address}:${inventory.endpoint.port}`,
            reason: 'nobody is sent to machines that go; they need not be drained',
            action: 'delete-endpoint',
          } satisfies CloudStep,
        ]
      : []),
    ...nodesFirst(inventory.groups).map(
      ({ name }): CloudStep => ({
        where: `group ${name}`,
        reason: 'so that no machine is replaced any more',
        action: 'delete-group',
        group: name,
      }),
    ),
    ...nodesFirst(inventory.machines).map(
      ({ id, role, zone }): CloudStep => ({
        where: `machine ${id}, zone ${zone}`,
        reason: role === 'master' ? 'a master of the deleted cluster' : 'a node of the deleted cluster',
        action: 'terminate-machine',
        machine: id,
      }),
    ),
    ...inventory.volumes.map(
      ({ id, seat, etcd, zone }): CloudStep => ({
        where: `volume ${id}, zone ${zone}`,
        reason: `etcd ${etcd} of seat ${seat}: its data is lost with it`,
        action: 'delete-volume',
        volume: id,
      }),
    ),
    ...(inventory.network
      ? [
          {
            where: `network ${inventory.network.cidr} (${inventory.network.device})`,
            reason: 'no machine is left in it',
            action: 'delete-network',
          } satisfies CloudStep,
        ]
      : []),
  ]
}
