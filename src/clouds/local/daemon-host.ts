import { balancerState, ensureBalancer, setTargets, stopBalancer } from '../../balancer/haproxy.ts'
import type { LocalActions } from './daemon-actions.ts'
import { findMachines, isAlive, killMachine, removeMachine, startMachine } from './machine.ts'
import { deleteNetwork, ensureNetwork, networkExists } from './network.ts'
import { isRunning } from './process.ts'
import { attachments, attachVolume, createVolume, deleteVolume, detachVolume } from './volume.ts'

/** The local cloud's acting half on this host. */
export const hostActions: LocalActions = {
  ensureNetwork,
  deleteNetwork,
  networkExists,
  startMachine,
  isAlive,
  isRunning,
  killMachine,
  removeMachine,
  findMachines,
  createVolume,
  attachVolume,
  attachments,
  detachVolume,
  deleteVolume,
  ensureBalancer,
  setTargets,
  balancerState,
  stopBalancer,
}
