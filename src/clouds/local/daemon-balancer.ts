import { messageOf } from '../../errors.ts'
import type { Target } from './daemon-actions.ts'
import type { HeldCluster, Runtime } from './daemon-state.ts'

const retryMs = 2_000
const balancer = 'balancer'

/** Makes the balancer send to these masters, in the background; one change at a time. */
export function setTargets(runtime: Runtime, held: HeldCluster, names: string[]): void {
  if (held.busy.has(balancer) || (held.notBefore.get(balancer) ?? 0) > runtime.now()) return
  held.busy.set(balancer, 'starting')
  apply(runtime, held, names)
    .catch((error: unknown) => {
      held.notBefore.set(balancer, runtime.now() + retryMs)
      runtime.report({ type: 'warning', message: `${held.name}: the balancer: ${messageOf(error)}` })
    })
    .finally(() => {
      held.busy.delete(balancer)
      runtime.wake()
    })
}

/** Takes one machine out before it is stopped on purpose; a balancer in trouble holds nothing up. */
export async function sendElsewhere(runtime: Runtime, held: HeldCluster, id: string): Promise<void> {
  if (!held.targets?.includes(id)) return
  try {
    await apply(
      runtime,
      held,
      held.targets.filter((name) => name !== id),
    )
  } catch (error) {
    runtime.report({ type: 'warning', message: `${held.name}: the balancer: ${messageOf(error)}` })
  }
}

/** Starts the balancer where it does not run, with the masters that are there now. */
export async function ensureBalancer(runtime: Runtime, held: HeldCluster): Promise<void> {
  const names = [...held.machines.values()]
    .filter(({ role, doomed }) => role === 'master' && !doomed)
    .map(({ id }) => id)
  await runtime.actions.ensureBalancer(runtime.home, held.cluster, targetsOf(held, names))
  held.targets = names
}

async function apply(runtime: Runtime, held: HeldCluster, names: string[]): Promise<void> {
  const { home, actions } = runtime
  await actions.setTargets(home, held.cluster, targetsOf(held, names))
  if (held.cluster.endpoint) held.targets = names
}

function targetsOf(held: HeldCluster, names: readonly string[]): Target[] {
  return names.flatMap((name) => {
    const machine = held.machines.get(name)
    return machine ? [{ name, address: machine.address }] : []
  })
}
