import { ports } from '../constants.ts'
import { messageOf } from '../errors.ts'
import { asStep, type Report } from '../events.ts'
import { chooseVictim, refuseWhenWeak, type Victim } from './choose-victim.ts'
import { nowMs } from './clock.ts'
import { type Drill, type DrillContext, type DrillReport, timingOf } from './drill.ts'
import { waitForStrength } from './heal.ts'
import { readKubeconfig } from './kubeconfig.ts'
import { look, lookOn, untilSteady } from './look.ts'
import { loseVolumes } from './lose-volumes.ts'
import { deleteNamespace, type MasterReadBack, readBack } from './readback.ts'
import { type Bounds, judge, verdict } from './verdict.ts'
import { startWorkload, type Workload } from './workload.ts'

export interface KillMasterOptions {
  /** `leader` is the machine that leads etcd `main` at that moment. */
  which: 'leader' | 'follower'
  /** Deletes the seat's volumes too, before its successor can attach them. */
  loseVolumes?: boolean
}

/** What one kill must keep to; the bench asks more of the median of several. */
export const killMasterBounds = (options: KillMasterOptions): Bounds => ({
  ...(options.which === 'leader' ? { longestGapMs: 3000 } : { failedFraction: 0.01, failedAfterWindow: 0 }),
  fullStrengthMs: options.loseVolumes ? 40_000 : 30_000,
})

/**
 * Kills one master's machine while an independent client writes, waits until the cluster is at full
 * strength again, reads everything back through each master and judges.
 *
 * @throws HoldfastError `drill-refused` when the kill could cost the quorum, `drill-not-steady` when
 *   writes do not succeed beforehand: nothing was harmed then. `drill-stopped` after an abort.
 */
export async function killMaster(
  context: DrillContext,
  options: KillMasterOptions,
  report: Report,
): Promise<DrillReport> {
  await refuseWhenWeak(context)
  const { kubeconfig, kubeconfigContext: name } = context
  const target = await readKubeconfig(kubeconfig, name)
  const { ratePerSecond, afterwardsMs, atLeastMs } = timingOf(context)
  const workload = await startWorkload({ kubeconfig, ratePerSecond, ...(name ? { context: name } : {}) })
  try {
    await asStep(report, 'drill-steady', 'Write 20 times a second until it is steady', () =>
      untilSteady(context, workload),
    )
    const victim = await chooseVictim(context, options.which)
    const title = `Kill the machine ${victim.machine.id}, ${options.which} of etcd main`
    const fault = { machine: victim.machine.id, atMs: nowMs(), title }
    await asStep(report, 'drill-kill', title, () => kill(context, victim, options, report))
    const replaced = { machine: victim.machine.id, group: victim.machine.group, sinceMs: fault.atMs }
    const healed = await asStep(report, 'drill-heal', 'Full strength again', (progress) =>
      waitForStrength(context, workload, fault, replaced, progress),
    )
    const rest = Math.max(afterwardsMs, fault.atMs + atLeastMs - nowMs())
    await lookOn(context, workload, { phase: 'whole again', fault }, rest)
    const result = await workload.stop()
    const read = await asStep(report, 'drill-read-back', 'Read every write back through each master', () =>
      readThroughMasters(context, workload, target),
    )
    const seen = verdict({
      records: result.records,
      endedMs: result.endedMs,
      faultMs: fault.atMs,
      readBack: read,
    })
    await look(context, workload, { phase: 'done', fault, lost: seen.lost.length }, { replaced })
    const bounds = context.bounds ?? killMasterBounds(options)
    return {
      drill: 'kill-master',
      cluster: context.cluster,
      machine: victim.machine.id,
      ...(victim.seat ? { seat: victim.seat } : {}),
      zone: victim.machine.zone,
      leaderBefore: victim.leader,
      faultAt: new Date(fault.atMs).toISOString(),
      ...healed,
      verdict: seen,
      bounds,
      judgement: judge(seen, bounds, healed.fullStrengthMs),
    }
  } finally {
    const { namespace } = await workload.stop()
    await deleteNamespace(target, namespace).catch((error: unknown) =>
      report({ type: 'warning', message: messageOf(error) }),
    )
  }
}

async function kill(
  context: DrillContext,
  victim: Victim,
  options: KillMasterOptions,
  report: Report,
): Promise<void> {
  await context.cloud.power(victim.machine.id, 'kill')
  if (options.loseVolumes) await loseVolumes(context.cloud, context.cluster, victim.volumes, report)
}

async function readThroughMasters(
  context: DrillContext,
  workload: Workload,
  target: Awaited<ReturnType<typeof readKubeconfig>>,
): Promise<MasterReadBack[]> {
  const { machines } = await context.cloud.observe(context.cluster)
  const masters = machines.filter((machine) => machine.role === 'master')
  return readBack(
    target,
    masters.map(({ id, address }) => ({ name: id, address, port: ports.apiserver })),
    workload.namespace,
  )
}

export const killMasterDrill: Drill<KillMasterOptions> = {
  name: 'kill-master',
  summary: "Kills a master's machine, the etcd leader's or a follower's, with its volumes or without",
  run: killMaster,
}
