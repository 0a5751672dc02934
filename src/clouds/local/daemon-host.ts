import { readFileSync } from 'node:fs'
import {
  balancerState,
  closeDeadSessions,
  ensureBalancer,
  setTargets,
  stopBalancer,
} from '../../balancer/haproxy.ts'
import { isErrno } from '../../errors.ts'
import { bootId } from '../../store/process-lock.ts'
import type { LocalActions } from './daemon-actions.ts'
import { findMachines, joinNetwork, killMachine, removeMachine, startMachine } from './machine.ts'
import { deleteNetwork, ensureNetwork, ensureRules, networkExists } from './network.ts'
import type { ProcessIdentity } from './process.ts'
import {
  attachments,
  attachVolume,
  condemnVolume,
  createVolume,
  deleteVolume,
  hasData,
  sweepVolumes,
} from './volume.ts'

/** The local cloud's acting half on this host. */
export const hostActions: LocalActions = {
  ensureNetwork,
  deleteNetwork,
  networkExists,
  ensureRules,
  startMachine,
  joinNetwork,
  isAlive: ({ process }) => process !== undefined && runsNow(process),
  isRunning: runsNow,
  killMachine,
  removeMachine,
  findMachines,
  createVolume,
  attachVolume,
  attachments,
  hasData,
  condemnVolume,
  deleteVolume,
  sweepVolumes,
  ensureBalancer,
  setTargets,
  balancerState,
  closeDeadSessions,
  stopBalancer,
}

/**
 * Does this very process run? One short read that never leaves the thread: it is asked for every
 * machine four times a second. Compare `isRunning` in process.ts, which is for everybody else.
 */
function runsNow({ pid, startTime, boot }: ProcessIdentity): boolean {
  if (boot !== bootId()) return false
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch (error) {
    // Anything else (no descriptors left, say) proves no death.
    if (isErrno(error, 'ENOENT', 'ESRCH')) return false
    throw error
  }
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[0] !== 'Z' && fields[0] !== 'X' && fields[19] === startTime
}
