import type { Machine, Volume } from '../clouds/cloud.ts'
import { HoldfastError } from '../errors.ts'
import type { DrillContext } from './drill.ts'
import { wantedMasters } from './look.ts'
import type { Observation } from './observation.ts'
import { mayLoseMore, missingStrength } from './strength.ts'

export interface Victim {
  machine: Machine
  /** Of the volumes it holds. */
  seat?: string
  volumes: Volume[]
  /** The machine that led etcd `main` when the victim was chosen. */
  leader: string
}

/**
 * Refuses a kill that could cost the quorum or measure nothing.
 * @throws HoldfastError `drill-refused`, naming what is not at full strength.
 */
export async function refuseWhenWeak(context: DrillContext): Promise<void> {
  if (context.force) return
  const observation = await context.observer.observe()
  const missing = missingStrength(observation, { masters: wantedMasters(observation) })
  if (missing.length > 0) throw refusal(context, `it is not at full strength (${missing.join('; ')})`)
  refuseTooFew(context, observation)
}

function refuseTooFew(context: DrillContext, observation: Observation): void {
  if ((mayLoseMore(observation) ?? 0) >= 1) return
  const masters = observation.inventory.machines.filter(({ role }) => role === 'master').length
  if (masters < 3)
    throw refusal(context, 'one may be lost only where there are three or more', 'Declare three masters')
  throw refusal(context, 'it may lose no master without losing the quorum')
}

const refusal = (
  { cluster }: DrillContext,
  reason: string,
  remedy = `Wait with \`holdfast validate cluster ${cluster} --wait 5m\``,
) =>
  new HoldfastError('drill-refused', `No master of ${cluster} is killed: ${reason}`, {
    remedy: `${remedy}, or use --force.`,
  })

/**
 * Chooses by who leads right now: the leader of etcd `main`, or a master that leads neither etcd
 * cluster where there is one, else one that does not lead `main`.
 * @throws HoldfastError `drill-no-victim`, `drill-refused` where one was lost since the drill began.
 */
export async function chooseVictim(context: DrillContext, which: 'leader' | 'follower'): Promise<Victim> {
  const observation = await context.observer.observe()
  const { inventory, etcd } = observation
  const leader = etcd.main?.leaderMachine
  const masters = inventory.machines
    .filter((machine) => machine.role === 'master' && machine.state === 'running')
    .sort((a, b) => a.id.localeCompare(b.id))
  const followers = masters.filter((machine) => machine.id !== leader)
  const machine =
    which === 'leader'
      ? masters.find((candidate) => candidate.id === leader)
      : (followers.find((candidate) => candidate.id !== etcd.events?.leaderMachine) ?? followers[0])
  if (!leader || !machine) {
    const why = leader ? `there is no ${which}` : 'no master says that it leads etcd main'
    throw new HoldfastError('drill-no-victim', `No master of ${context.cluster} can be chosen: ${why}`, {
      remedy: `Look with \`holdfast validate cluster ${context.cluster}\` and try again.`,
    })
  }
  if (!context.force) refuseTooFew(context, observation)
  const volumes = inventory.volumes.filter((volume) => volume.attachedTo === machine.id)
  const seat = volumes[0]?.seat
  return { machine, ...(seat ? { seat } : {}), volumes, leader }
}
