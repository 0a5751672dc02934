import { setTimeout as sleep } from 'node:timers/promises'
import { HoldfastError } from '../../errors.ts'
import { recordAddress, takeAddress } from './daemon-addresses.ts'
import { type HeldCluster, type Runtime, updateMachine } from './daemon-state.ts'
import type { LocalMachine } from './parts.ts'

/** For `reboot`, in tests and drills. */
export interface PowerOptions {
  /** It comes back with another address. */
  newAddress?: boolean
  /** It gets no volume until they are released. */
  withholdVolumes?: boolean
  /** The same again is the same reboot, so one whose answer was lost can be asked for again. */
  request?: string
}

const rebootTimeoutMs = 30_000

/** `kill` pulls the plug and leaves the rest to its group; `reboot` does so and starts it on the same disk. */
export async function power(
  runtime: Runtime,
  held: HeldCluster,
  id: string,
  action: 'kill' | 'reboot',
  options: PowerOptions = {},
): Promise<void> {
  const machine = held.machines.get(id)
  if (!machine) return
  if (action === 'kill') {
    await runtime.actions.killMachine(runtime.home, machine)
    runtime.wake()
    return
  }
  if (options.request === undefined || options.request !== machine.reboot)
    await beginReboot(runtime, held, machine, options)
  await untilRebooted(held, id)
}

/** Its mark is lasting: whoever takes over goes on with it. */
async function beginReboot(
  runtime: Runtime,
  held: HeldCluster,
  machine: LocalMachine,
  options: PowerOptions,
): Promise<void> {
  const mark = (address: string) =>
    updateMachine(runtime.home, held, machine.id, (now) => ({
      ...now,
      address,
      restart: 'a reboot was asked for',
      ...(options.request ? { reboot: options.request } : {}),
      ...(options.withholdVolumes ? { withholdVolumes: true } : {}),
    }))
  if (options.newAddress) {
    const address = takeAddress(held)
    await recordAddress(runtime, held, address, () => mark(address))
  } else await mark(machine.address)
  runtime.wake()
}

async function untilRebooted(held: HeldCluster, id: string): Promise<void> {
  const until = performance.now() + rebootTimeoutMs
  for (;;) {
    const now = held.machines.get(id)
    if (!now) throw new HoldfastError('machine-missing', `${id} went away while it was to reboot`)
    if (now.state === 'running' && !now.restart) return
    if (performance.now() > until) {
      throw new HoldfastError(
        'machine-not-rebooted',
        `${id} is ${now.state} ${rebootTimeoutMs / 1000} s after its reboot: ${now.trouble ?? 'no reason known'}`,
      )
    }
    await sleep(10)
  }
}

export const releaseVolumes = (runtime: Runtime, held: HeldCluster, id: string): Promise<void> =>
  updateMachine(runtime.home, held, id, ({ withholdVolumes: _released, ...machine }) => machine)
