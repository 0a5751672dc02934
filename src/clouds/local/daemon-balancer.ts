import { messageOf } from '../../errors.ts'
import type { Target } from './daemon-actions.ts'
import type { HeldCluster, Runtime } from './daemon-state.ts'

const retryMs = 2_000
/** Its name among what is busy. */
export const balancer = 'balancer'

/** Makes the balancer send to these masters, in the background. */
export function setTargets(runtime: Runtime, held: HeldCluster, names: string[]): void {
  inBackground(runtime, held, () => apply(runtime, held, names))
}

/** It died: another one. */
export function startBalancer(runtime: Runtime, held: HeldCluster): void {
  runtime.report({ type: 'note', message: `${held.name}: the balancer does not run; it is started` })
  inBackground(runtime, held, () => ensureBalancer(runtime, held))
}

/** One change at a time; after a failure a pause. */
function inBackground(runtime: Runtime, held: HeldCluster, action: () => Promise<void>): void {
  if (held.busy.has(balancer) || (held.notBefore.get(balancer) ?? 0) > runtime.now()) return
  held.busy.set(balancer, 'starting')
  action()
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
  const seen = await runtime.actions.balancerState(runtime.home, held.cluster)
  if (!seen || !held.cluster.endpoint) return
  held.balancerProcess = seen.process
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
