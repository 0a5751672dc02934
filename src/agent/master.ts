import { setTimeout as sleep } from 'node:timers/promises'
import { componentVersions } from '../assets/versions.ts'
import type { Machine } from '../clouds/cloud.ts'
import type { KubeApi } from '../controlplane/api.ts'
import { messageOf } from '../errors.ts'
import { ensureClusterPki } from '../pki/cluster-pki.ts'
import type { EtcdName } from '../spec/types.ts'
import { claimSeat, readSeats, seatOfGroup } from './claim.ts'
import { clusterPhasesDone, dropSuperAdmin } from './cluster-phases.ts'
import type { AgentContext } from './context.ts'
import { runDuties } from './duties.ts'
import { type EtcdMemberLoop, runEtcdMember } from './etcd-member.ts'
import { ensureEtcdPki } from './etcd-pki.ts'
import { nodeFacts } from './facts.ts'
import { writeHosts } from './hosts-file.ts'
import {
  adminConf,
  renewCertificates,
  startApiserver,
  startControllers,
  startKubelet,
  writeAuthorities,
} from './kubernetes.ts'
import { isReady } from './node-watch.ts'
import { keepOwnNode } from './own-node.ts'
import { takeTurn } from './standby.ts'

const retryMs = 200
/** Between attempts that start processes. */
const longestPauseMs = 10_000
const calmPauseMs = 3_000
/** After a machine came or went, or has another address. */
const restlessMs = 20_000
const restlessPauseMs = 400
const certificatesEveryMs = 24 * 3600 * 1000

/** A master, from its boot on. Ends never; every part is repeated until it succeeds. */
export async function runMaster(context: AgentContext, tell: (seat: string) => void): Promise<void> {
  const seat = await until(context, 'seat', () => seatOfGroup(context))
  tell(seat)
  await until(context, 'seat', async () => {
    const claim = await claimSeat(context, seat)
    if (!claim.held) throw new Error(claim.reason)
  })
  const pki = await until(context, 'certificates', () =>
    ensureClusterPki(rememberedStore(context), context.identity.cluster),
  )
  await writeAuthorities(pki)

  const certificates = ensureEtcdPki(context, seat, pki.etcdCa)
  const names = machinesNow(context).then((machines) => updateHosts(context, machines))
  const ready = Promise.all([certificates, names]).then(() => {})
  const image = `registry.k8s.io/etcd:${componentVersions(context.cluster.spec.kubernetesVersion).etcd}-0`
  const run = (etcd: EtcdName): EtcdMemberLoop =>
    runEtcdMember({ context, cluster: context.identity.cluster, seat, etcd, image }, ready)
  const [main, events] = [run('main'), run('events')]
  void keepHosts(context, [main, events])

  const prepare = async () =>
    startKubelet(await nodeFacts(context), (reason) => context.say('kubelet', reason))
  await until(context, 'kubelet', prepare, longestPauseMs)
  void keepCertificates(context)
  const votes = (): void => {
    // An apiserver is of use without `events`, so that is not waited for.
    if (!main.votes) throw new Error('it starts once the member of etcd main of this seat votes')
  }
  await until(context, 'control plane', async () => votes())
  const turn = await takeTurn(context)
  await turn.forApiserver()
  const apiserver = () =>
    until(context, 'control plane', () =>
      startApiserver(context.identity.address, votes, (reason) => context.say('control plane', reason)),
    )
  await apiserver()
  void keepApiserver(main, apiserver)

  const { api, nodes } = keepOwnNode(context, adminConf)
  void until(context, 'controllers', async () => {
    await turn.forControllers(() => isReady(nodes().get(context.identity.machineId)))
    await startControllers()
  })
  void runDuties(context, api, nodes)
  await until(context, 'node', () => labelMaster(context, api))
  await until(context, 'administrators', async () => {
    if (!(await clusterPhasesDone(await api(), context.cluster)))
      throw new Error('the cluster-wide phases are not done yet')
    await dropSuperAdmin()
  })
}

/**
 * Looks at kubeadm's certificates now and about once a day: each master at a time of its own, for the
 * controllers that work start again.
 */
async function keepCertificates(context: AgentContext): Promise<never> {
  const part = 'kubeadm’s certificates'
  const renew = () => renewCertificates((reason) => context.say(part, reason))
  for (;;) {
    await until(context, part, renew, longestPauseMs)
    await sleep(certificatesEveryMs * (0.5 + Math.random()))
  }
}

/** A member that has to be ended takes its apiserver with it: that starts again when the member votes again. */
async function keepApiserver(main: EtcdMemberLoop, start: () => Promise<void>): Promise<never> {
  for (;;) {
    await sleep(retryMs)
    if (!main.votes) await start()
  }
}

/** Repeats until it succeeds, telling what it waits for; up to `longestMs` later each time. */
async function until<T>(
  context: AgentContext,
  part: string,
  action: () => Promise<T>,
  longestMs = retryMs,
): Promise<T> {
  for (let pauseMs = retryMs; ; pauseMs = Math.min(2 * pauseMs, longestMs)) {
    try {
      const result = await action()
      context.say(part, undefined)
      return result
    } catch (error) {
      context.say(part, messageOf(error))
      await sleep(pauseMs)
    }
  }
}

/** The authorities were on this machine before: it boots with the store away. */
function rememberedStore(context: AgentContext) {
  return {
    ...context.store,
    get: async (key: string) => (await context.store.recall(key)).stored,
  }
}

/** kubelet may not label itself a control plane: it is tainted at registration and labelled right after. */
async function labelMaster(context: AgentContext, api: () => Promise<KubeApi>): Promise<void> {
  await (await api()).patch(`/api/v1/nodes/${context.identity.machineId}`, {
    metadata: { labels: { 'node-role.kubernetes.io/control-plane': '' } },
  })
}

/** Seats' names → addresses: as the cloud sees the machines now, else as the records last said. */
async function updateHosts(context: AgentContext, machines: readonly Machine[]): Promise<void> {
  const records = await readSeats(context)
  const seats = new Map(
    records.map(({ record }) => {
      const alive = machines.find(({ id }) => id === record.machine)
      return [record.seat, alive?.address ?? record.address]
    }),
  )
  await writeHosts(context.identity.cluster, seats)
}

const machinesNow = (context: AgentContext): Promise<readonly Machine[]> =>
  context.surroundings.machines().catch(() => [])

/**
 * Often while machines come and go: who leads sends a new member its data once, under its seat's name, and an
 * address of before costs it ten seconds.
 */
async function keepHosts(context: AgentContext, members: readonly { votes: boolean }[]): Promise<never> {
  let formed = false
  let known = ''
  let restless = 0
  for (;;) {
    formed ||= members.every(({ votes }) => votes)
    const calm = formed && performance.now() > restless
    await sleep(formed ? (calm ? calmPauseMs : restlessPauseMs) : retryMs)
    const machines = await machinesNow(context)
    const there = machines.map(({ id, address }) => `${id} ${address}`).sort()
    if (there.join() !== known) restless = performance.now() + restlessMs
    known = there.join()
    await updateHosts(context, machines).then(
      () => context.say('names', undefined),
      (error: unknown) => context.say('names', messageOf(error)),
    )
  }
}
