import type { Inventory, Machine, ObservedGroup } from '../cloud.ts'
import type { Busy, HeldCluster, Runtime } from './daemon-state.ts'
import { observedVolumes } from './daemon-volumes.ts'
import type { LocalMachine } from './parts.ts'

/** What is there for one cluster, as the contract has it. */
export async function inventoryOf(runtime: Runtime, held: HeldCluster): Promise<Inventory> {
  const { network, endpoint, groups } = held.cluster
  return {
    ...(network ? { network: { cidr: network.cidr, gateway: network.gateway, device: network.device } } : {}),
    ...(endpoint ? { endpoint } : {}),
    groups: Object.values(groups).map(({ name, role, zones, size, userData }): ObservedGroup => {
      const trouble = held.networkTrouble ?? held.waits.get(name)
      return { name, role, zones, size, userData, ...(trouble ? { trouble } : {}) }
    }),
    machines: listedMachines(held),
    volumes: await observedVolumes(runtime, held),
  }
}

/** Machines whose processes are not proven gone: whoever is not listed is dead. */
export function listedMachines(held: HeldCluster): Machine[] {
  return [...held.machines.values()]
    .filter(({ id }) => held.busy.get(id) !== 'removing')
    .map((machine) => contractMachine(machine, held.busy.get(machine.id)))
    .sort(byId)
}

function contractMachine(machine: LocalMachine, busy: Busy | undefined): Machine {
  const { id, group, role, zone, address, bootedAt, trouble } = machine
  const state = busy === 'stopping' ? 'stopped' : machine.state
  return { id, group, role, zone, address, state, bootedAt, ...(trouble ? { trouble } : {}) }
}

const byId = (one: Machine, other: Machine): number => one.id.localeCompare(other.id)
