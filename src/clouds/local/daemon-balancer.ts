import { messageOf } from '../../errors.ts'
import type { HeldCluster, Runtime } from './daemon-state.ts'
import type { Target } from './reconcile.ts'

const retryMs = 2_000
const sessionsEveryMs = 1_000
/** Its name among what is busy. */
export const balancer = 'balancer'

/** Makes the balancer send to these masters, in the background. */
export function setTargets(runtime: Runtime, held: HeldCluster, targets: Target[]): void {
  inBackground(runtime, held, () => held.balancerWork(() => apply(runtime, held, targets)))
}

/** It died: another one. */
export function startBalancer(runtime: Runtime, held: HeldCluster): void {
  runtime.report({ type: 'note', message: `${held.name}: the balancer does not run; it is started` })
  inBackground(runtime, held, () => ensureBalancer(runtime, held))
}

/** Clients of an apiserver that hangs are sent elsewhere: a look each second. */
export function closeDeadSessions(runtime: Runtime, held: HeldCluster): void {
  if ((held.notBefore.get('sessions') ?? 0) > runtime.monotonicNow()) return
  held.notBefore.set('sessions', runtime.monotonicNow() + sessionsEveryMs)
  runtime.actions.closeDeadSessions(runtime.home, held.cluster).catch((error: unknown) => {
    runtime.report({ type: 'warning', message: `${held.name}: the balancer's sessions: ${messageOf(error)}` })
  })
}

/** One change at a time; after a failure a pause. */
function inBackground(runtime: Runtime, held: HeldCluster, action: () => Promise<void>): void {
  if (held.busy.has(balancer) || (held.notBefore.get(balancer) ?? 0) > runtime.monotonicNow()) return
  held.busy.set(balancer, 'starting')
  action()
    .catch((error: unknown) => {
      held.notBefore.set(balancer, runtime.monotonicNow() + retryMs)
      runtime.report({ type: 'warning', message: `${held.name}: the balancer: ${messageOf(error)}` })
    })
    .finally(() => {
      held.busy.delete(balancer)
      runtime.wake()
    })
}

/** Takes one machine out before it is stopped on purpose; a balancer in trouble holds nothing up. */
export async function sendElsewhere(runtime: Runtime, held: HeldCluster, id: string): Promise<void> {
  if (!held.targets?.some(({ name }) => name === id)) return
  try {
    // Worked out when its turn comes: others may be on their way out too.
    await held.balancerWork(() => apply(runtime, held, mastersThatStay(held)))
  } catch (error) {
    runtime.report({ type: 'warning', message: `${held.name}: the balancer: ${messageOf(error)}` })
  }
}

/** Starts the balancer where it does not run, with the masters that are there now. */
export function ensureBalancer(runtime: Runtime, held: HeldCluster): Promise<void> {
  return held.balancerWork(async () => {
    const targets = mastersThatStay(held)
    await runtime.actions.ensureBalancer(runtime.home, held.cluster, targets)
    const seen = await runtime.actions.balancerState(runtime.home, held.cluster)
    if (!seen || !held.cluster.endpoint) return
    held.balancerProcess = seen.process
    held.targets = targets
  })
}

/** Ends it for good; nobody starts it again. */
export function stopBalancer(runtime: Runtime, held: HeldCluster): Promise<void> {
  delete held.targets
  return held.balancerWork(async () => {
    delete held.targets
    delete held.balancerProcess
    await runtime.actions.stopBalancer(runtime.home, held.cluster)
  })
}

async function apply(runtime: Runtime, held: HeldCluster, targets: Target[]): Promise<void> {
  if (!held.targets) return
  await runtime.actions.setTargets(runtime.home, held.cluster, targets)
  held.targets = targets
}

function mastersThatStay(held: HeldCluster): Target[] {
  return [...held.machines.values()]
    .filter(({ id, role, doomed, restart }) => {
      const busy = held.busy.get(id)
      const going = doomed !== undefined || busy === 'removing' || (busy === 'stopping' && !restart)
      return role === 'master' && !going
    })
    .map(({ id, address }) => ({ name: id, address }))
}
