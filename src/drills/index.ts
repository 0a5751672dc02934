import type { Drill } from './drill.ts'
import { type KillMasterOptions, killMasterDrill } from './kill-master.ts'

/** Every drill by name: one fault a file. New ones are added here and nowhere else. */
export const drills: { readonly 'kill-master': Drill<KillMasterOptions> } = {
  'kill-master': killMasterDrill,
}

export type { DrillContext, DrillMoment, DrillReport } from './drill.ts'
export { type KillMasterOptions, killMaster } from './kill-master.ts'
export { createObserver, type EndpointTarget, type Observation, type Observer } from './observation.ts'
