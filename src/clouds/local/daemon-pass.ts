import { messageOf } from '../../errors.ts'
import { balancer, closeDeadSessions, setTargets, startBalancer } from './daemon-balancer.ts'
import { type OpenSocket, restart, startNew, stopForRestart, terminate } from './daemon-machines.ts'
import { type HeldCluster, type Runtime, updateCluster, updateMachine } from './daemon-state.ts'
import type { LocalMachine } from './parts.ts'
import { type Action, reconcile, type SeenMachine } from './reconcile.ts'

/**
 * One look at one cluster: who is alive, what follows, begin it. Between the decision and the marks
 * that the begun actions leave (`busy`) nothing else can happen, so no two looks begin the same.
 */
export async function pass(runtime: Runtime, held: HeldCluster, open: OpenSocket): Promise<void> {
  const before = [...held.machines.values()]
  const alive = new Map<string, { process: LocalMachine['process']; alive: boolean }>()
  for (const machine of before) {
    alive.set(machine.id, { process: machine.process, alive: await runtime.actions.isAlive(machine) })
  }
  const balancerAlive = await lookAtBalancer(runtime, held)
  if (balancerAlive) closeDeadSessions(runtime, held)
  const seen: SeenMachine[] = []
  for (const machine of held.machines.values()) {
    const answer = alive.get(machine.id)
    const busy = held.busy.get(machine.id)
    // It began or ended while the others were looked at: what was seen says nothing about it now.
    if (!busy && answer?.process !== machine.process) return runtime.wake()
    seen.push({ machine, alive: answer?.alive ?? false, ...(busy ? { busy } : {}) })
  }
  const actions = reconcile({
    cluster: held.cluster,
    machines: seen,
    networkThere: held.networkThere,
    now: runtime.now(),
    ...(balancerAlive !== undefined && held.targets && held.cluster.endpoint
      ? { balancer: { alive: balancerAlive, targets: held.targets } }
      : {}),
  })
  noteWaits(runtime, held, actions)
  for (const action of actions) {
    if (action.action === 'recover-network') startRecovery(runtime, held, action.restart)
    else begin(runtime, held, action, open)
  }
}

/** undefined while there is none, or something is being done to it. */
async function lookAtBalancer(runtime: Runtime, held: HeldCluster): Promise<boolean | undefined> {
  if (!held.cluster.endpoint || !held.targets || held.busy.has(balancer)) return undefined
  const process = held.balancerProcess
  const alive = process !== undefined && (await runtime.actions.isRunning(process))
  return held.busy.has(balancer) || held.balancerProcess !== process ? undefined : alive
}

type Begun = Exclude<Action, { action: 'recover-network' }>

/** Only marks and begins; nothing is waited for. */
function begin(runtime: Runtime, held: HeldCluster, action: Begun, open: OpenSocket): void {
  const subject = 'machine' in action ? action.machine : 'group' in action ? action.group : action.action
  if ((held.notBefore.get(subject) ?? 0) > runtime.monotonicNow()) return
  try {
    switch (action.action) {
      case 'start-machine':
        startNew(runtime, held, action.group, action.zone, open)
        break
      case 'restart-machine':
        restart(runtime, held, action.machine, open)
        break
      case 'stop-for-restart':
        stopForRestart(runtime, held, action.machine)
        break
      case 'remove-dead':
        terminate(runtime, held, action.machine, 'it died', true)
        break
      case 'terminate-machine':
        terminate(runtime, held, action.machine, action.reason, false)
        break
      case 'set-targets':
        setTargets(runtime, held, action.targets)
        break
      case 'start-balancer':
        startBalancer(runtime, held)
        break
      case 'wait':
        break
    }
  } catch (error) {
    held.notBefore.set(subject, runtime.monotonicNow() + retryMs)
    runtime.report({ type: 'warning', message: `${held.name}: ${subject}: ${messageOf(error)}` })
  }
}

const retryMs = 5_000
const network = 'network'

/** In the background, so that one cluster's trouble holds up no other's healing. */
function startRecovery(runtime: Runtime, held: HeldCluster, restarts: string[]): void {
  if (held.recovery || (held.notBefore.get(network) ?? 0) > runtime.monotonicNow()) return
  held.recovery = recoverNetwork(runtime, held, restarts).finally(() => {
    delete held.recovery
    runtime.wake()
  })
}

/** The host was rebooted. The marks are lasting before the bridge exists again, or they would be lost. */
async function recoverNetwork(runtime: Runtime, held: HeldCluster, restarts: string[]): Promise<void> {
  const known = held.cluster.network
  if (!known) return
  runtime.report({ type: 'note', message: `${held.name}: this host was rebooted; its machines start again` })
  try {
    for (const id of restarts) {
      await updateMachine(runtime.home, held, id, (machine) => ({
        ...machine,
        state: 'stopped',
        restart: 'the host was rebooted',
      }))
    }
    const { cidr, egress } = known
    const made = await runtime.actions.ensureNetwork(runtime.home, held.cluster, { cidr, egress })
    await updateCluster(runtime.home, held, (cluster) => ({ ...cluster, network: made }))
    held.networkThere = true
    delete held.networkTrouble
  } catch (error) {
    held.notBefore.set(network, runtime.monotonicNow() + retryMs)
    held.networkTrouble = messageOf(error)
    runtime.report({ type: 'warning', message: `${held.name}: its network: ${messageOf(error)}` })
  }
}

function noteWaits(runtime: Runtime, held: HeldCluster, actions: readonly Action[]): void {
  const waits = new Map(
    actions.flatMap((one) => (one.action === 'wait' ? [[one.group, one.reason] as const] : [])),
  )
  for (const [group, reason] of waits) {
    if (held.waits.get(group) !== reason)
      runtime.report({ type: 'warning', message: `${held.name}: ${reason}` })
  }
  held.waits = waits
}
