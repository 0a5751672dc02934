import type { Cloud } from '../clouds/cloud.ts'
import type { Report } from '../events.ts'
import type { KubeconfigSource } from './kubeconfig.ts'
import type { Observation, Observer } from './observation.ts'
import type { Bounds, Judgement, Verdict } from './verdict.ts'
import type { WorkloadSnapshot } from './workload.ts'

/** What every drill works with. */
export interface DrillContext {
  cloud: Cloud
  cluster: string
  kubeconfig: KubeconfigSource
  /** A context of the kubeconfig, where it is not the current one. */
  kubeconfigContext?: string
  observer: Observer
  /** Inject the fault although the cluster is not at full strength. */
  force?: boolean
  bounds?: Bounds
  timing?: Partial<DrillTiming>
  /** Called with each observation, for a live view. Must not throw. */
  watch?: (moment: DrillMoment) => void
  /** Ends the drill early: the workload stops and its namespace is deleted. */
  signal?: AbortSignal
}

export interface DrillTiming {
  ratePerSecond: number
  /** Writes that must succeed in a row before the fault. */
  steadyWrites: number
  steadyTimeoutMs: number
  observeEveryMs: number
  fullStrengthTimeoutMs: number
  /** The workload goes on after full strength, so that a failure on the way back in is seen. */
  afterwardsMs: number
  /** It goes on for so long after the fault, so that a share of failures means the same however quick the return. */
  atLeastMs: number
}

export const drillTiming: DrillTiming = {
  ratePerSecond: 20,
  steadyWrites: 40,
  steadyTimeoutMs: 30_000,
  observeEveryMs: 400,
  fullStrengthTimeoutMs: 120_000,
  afterwardsMs: 3000,
  atLeastMs: 25_000,
}

export const timingOf = (context: Pick<DrillContext, 'timing'>): DrillTiming => ({
  ...drillTiming,
  ...context.timing,
})

export type DrillPhase = 'warming up' | 'healing' | 'whole again' | 'reading back' | 'done'

export interface DrillMoment {
  phase: DrillPhase
  observation: Observation
  workload: WorkloadSnapshot
  fault?: { machine: string; atMs: number; title: string }
  /** What is still missing of full strength. */
  missing: string[]
  /** Once everything was read back. */
  lost?: number
}

export interface DrillReport {
  drill: string
  cluster: string
  /** The machine that the fault hit, its seat and its zone. */
  machine: string
  seat?: string
  zone: string
  /** Who led etcd `main` just before. */
  leaderBefore: string
  /** RFC 3339. */
  faultAt: string
  /** From the fault until full strength; missing when it was not reached in time. */
  fullStrengthMs?: number
  /** When each condition of full strength was met for good, in milliseconds after the fault. */
  milestones: { name: string; afterMs: number }[]
  /** What was still missing when the time was over. */
  missing?: string[]
  verdict: Verdict
  bounds: Bounds
  judgement: Judgement
}

export interface Drill<Options> {
  readonly name: string
  readonly summary: string
  run(context: DrillContext, options: Options, report: Report): Promise<DrillReport>
}
