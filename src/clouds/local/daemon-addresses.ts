import { HoldfastError } from '../../errors.ts'
import { type HeldCluster, type Runtime, updateCluster } from './daemon-state.ts'
import { nextAddress } from './records-names.ts'

/**
 * The next free address. It is given out at once, before any record says so: two that ask one after
 * the other get two.
 * @throws HoldfastError `network-missing`, `network-full`.
 */
export function takeAddress(held: HeldCluster): string {
  const { network, endpoint, lastAddress } = held.cluster
  if (!network) throw new HoldfastError('network-missing', `${held.name} has no network`)
  const taken = new Set([...held.machines.values()].map(({ address }) => address))
  taken.add(network.gateway)
  if (endpoint) taken.add(endpoint.address)
  for (const address of held.promised) taken.add(address)
  const address = nextAddress(network.cidr, taken, held.promised.at(-1) ?? lastAddress)
  held.promised.push(address)
  return address
}

/**
 * Records to whom an address was given (`recordOwner`: the machine's own record), then that it was given
 * out. Where that fails it is free again, unless a machine has it by then.
 */
export async function recordAddress(
  runtime: Runtime,
  held: HeldCluster,
  address: string,
  recordOwner: () => Promise<void>,
): Promise<void> {
  try {
    await recordOwner()
    await updateCluster(runtime.home, held, (cluster) => ({ ...cluster, lastAddress: address }))
  } finally {
    held.promised = held.promised.filter((other) => other !== address)
  }
}
