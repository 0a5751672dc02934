import { setTimeout as sleep } from 'node:timers/promises'
import type { Machine } from '../clouds/cloud.ts'
import type { KubeApi } from '../controlplane/api.ts'
import { messageOf } from '../errors.ts'
import { keys } from '../store/keys.ts'
import { acquireLock, type HeldLock } from '../store/lock.ts'
import { readSeats } from './claim.ts'
import { clusterPhasesDone, doClusterPhases } from './cluster-phases.ts'
import type { AgentContext } from './context.ts'
import { deadNodes } from './dead-nodes.ts'
import { pruneEndpoints } from './endpoints.ts'
import { keepJoinToken } from './join-token.ts'
import { forgetDeadMachines } from './machine-records.ts'
import { isReady, type Node } from './node-watch.ts'
import { approveServingRequests, type KnownRequests } from './serving-requests.ts'

const ttlMs = 15_000
const busyPauseMs = 500
const idlePauseMs = 5_000
const longestPauseMs = 10_000
/** So many failures in a row are a cluster that is coming up. */
const patience = 10

/**
 * What one master at a time does for the whole cluster: the cluster-wide phases, workers' tokens,
 * dead machines' nodes, endpoints and records, kubelets' serving certificates. Ends never.
 *
 * The hold is renewed once a round and not asked before each act: two that do the same at once, because one of
 * them slept, do no harm. What they take away goes by names that are never used twice, or comes back by itself (an
 * apiserver's lease); what they write is the same twice, or written only over what was seen.
 */
export async function runDuties(
  context: AgentContext,
  api: () => Promise<KubeApi>,
  nodes: () => ReadonlyMap<string, Node>,
): Promise<never> {
  const { cluster, machineId } = context.identity
  const say = (reason: string | undefined): void => context.say('duties', reason)
  let held: HeldLock | undefined
  let phasesDone = false
  let round = 0
  let failures = 0
  const requests: KnownRequests = new Map()
  const forgetMachines = forgetDeadMachines(context)
  for (;;) {
    let pause = idlePauseMs
    try {
      held = await hold(held)
      if (held) {
        const client = await api()
        if (!phasesDone && !(await clusterPhasesDone(client, context.cluster).catch(() => false))) {
          say('doing the cluster-wide phases')
          const zones = new Set((await readSeats(context)).map(({ record }) => record.zone))
          await keepAlive(held, doClusterPhases(context, zones.size))
        }
        phasesDone = true
        say(await care(client))
        failures = 0
        round += 1
        // A young cluster changes every second; an old one does not.
        if (round < 40 || !allReady()) pause = busyPauseMs
      } else {
        say(undefined)
        pause = 2_000
      }
    } catch (error) {
      say(messageOf(error))
      failures += 1
      pause = Math.min(busyPauseMs * Math.max(1, failures - patience), longestPauseMs)
    }
    await sleep(pause)
  }

  async function hold(present: HeldLock | undefined): Promise<HeldLock | undefined> {
    try {
      if (present) {
        await present.renew()
        return present
      }
    } catch {
      // Somebody else has it by now, or the store is away: ask again.
    }
    const taken = await acquireLock(context.store, keys.lock(cluster, 'duties'), { holder: machineId, ttlMs })
    return taken.acquired ? taken.lock : undefined
  }

  /** Returns what an operator has to look at. */
  async function care(client: KubeApi): Promise<string | undefined> {
    const machines = await context.surroundings.machines()
    await deleteDeadNodes(client, machines)
    await keepJoinToken(context, client)
    const refused = await approveServingRequests(client, machines, requests)
    if (round % 4 === 0) await pruneEndpoints(client, machines)
    await forgetMachines(machines)
    return refused.length > 0 ? `serving certificates not signed: ${refused.join('; ')}` : undefined
  }

  async function deleteDeadNodes(client: KubeApi, machines: readonly Machine[]): Promise<void> {
    for (const name of deadNodes(nodes(), machines, Date.now())) {
      await client.delete(`/api/v1/nodes/${name}`)
      await deletePodsOf(client, name)
      await client.delete(`/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${name}`)
    }
  }

  function allReady(): boolean {
    return nodes().size > 0 && [...nodes().values()].every(isReady)
  }

  /** Renews the hold while something long runs. */
  async function keepAlive(lock: HeldLock, work: Promise<void>): Promise<void> {
    const timer = setInterval(() => void lock.renew().catch(() => {}), ttlMs / 3)
    try {
      await work
    } finally {
      clearInterval(timer)
    }
  }
}

/**
 * Kubernetes looks for pods of nodes that are gone only now and then, which keeps their successors waiting
 * for up to a minute. Nothing of them runs any more: the machine is proven dead.
 */
async function deletePodsOf(client: KubeApi, node: string): Promise<void> {
  const selector = encodeURIComponent(`spec.nodeName=${node}`)
  const { items } = await client.list(`/api/v1/pods?fieldSelector=${selector}`)
  for (const { metadata } of items) {
    const path = `/api/v1/namespaces/${metadata?.namespace}/pods/${metadata?.name}`
    await client.delete(path, { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0 })
  }
}
