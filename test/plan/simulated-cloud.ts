import type { CloudStep, Inventory, ObservedGroup } from '../../src/clouds/cloud.ts'

export const nothing = (): Inventory => ({ groups: [], machines: [], volumes: [] })

/** What a cloud would hold after one step: the inventory as plain data, the one given left alone. */
export function afterStep(inventory: Inventory, step: CloudStep): Inventory {
  const { network, endpoint, ...rest } = inventory
  switch (step.action) {
    case 'create-network':
      return {
        ...inventory,
        network: { cidr: step.cidr ?? '172.31.0.0/24', gateway: '172.31.0.1', device: 'br0' },
      }
    case 'create-endpoint':
      return { ...inventory, endpoint: { address: '172.31.0.2', port: step.port } }
    case 'create-volume':
      return {
        ...inventory,
        volumes: [...inventory.volumes, { id: `v${inventory.volumes.length}`, ...step.volume }],
      }
    case 'set-group':
      return withMachines(inventory, { ...step.group, userData: step.userData })
    case 'delete-group':
      return { ...inventory, groups: inventory.groups.filter(({ name }) => name !== step.group) }
    case 'terminate-machine':
      return { ...inventory, machines: inventory.machines.filter(({ id }) => id !== step.machine) }
    case 'delete-volume':
      return { ...inventory, volumes: inventory.volumes.filter(({ id }) => id !== step.volume) }
    case 'delete-endpoint':
      return { ...rest, ...(network ? { network } : {}) }
    case 'delete-network':
      return { ...rest, ...(endpoint ? { endpoint } : {}) }
  }
}

export const afterSteps = (inventory: Inventory, steps: readonly CloudStep[]): Inventory =>
  steps.reduce(afterStep, inventory)

function withMachines(inventory: Inventory, group: ObservedGroup): Inventory {
  const machines = Array.from({ length: group.size }, (_, index) => ({
    id: `${group.name}-${index}`,
    group: group.name,
    role: group.role,
    zone: group.zones[index % group.zones.length] ?? '',
    address: '172.31.0.3',
    state: 'running' as const,
    bootedAt: '2026-01-01T00:00:00Z',
  }))
  return {
    ...inventory,
    groups: [...inventory.groups.filter(({ name }) => name !== group.name), group],
    machines: [...inventory.machines.filter((machine) => machine.group !== group.name), ...machines],
  }
}
