import type { CloudStep, Inventory } from '../clouds/cloud.ts'
import { majority } from '../quorum/majority.ts'

/** etcd after one step of a plan, once its machines have come up. */
export interface QuorumLine {
  /** Members that vote. */
  voters: number
  /** Of those, how many run. */
  running: number
  /** How many must run. */
  needed: number
  /** How many of the running ones may be lost and the cluster goes on; 0 also when it does not. */
  mayLose: number
  /** Whether a majority runs. */
  quorum: boolean
}

/**
 * The quorum after each step of a plan, in the order of the steps. Pure. Founders vote from the
 * first on, since they form one cluster together; masters that are added later vote as they come.
 */
export function simulateQuorum(steps: readonly CloudStep[], inventory: Inventory): QuorumLine[] {
  const masters = inventory.groups.filter((group) => group.role === 'master')
  const sizes = new Map(masters.map((group) => [group.name, group.size]))
  const seats = new Set(
    inventory.volumes.filter((volume) => volume.etcd === 'main').map((volume) => volume.seat),
  )
  const arrivals = steps.filter(
    (step) => step.action === 'set-group' && step.group.role === 'master' && step.group.size > 0,
  )
  // A creation that was cut off has made the volumes of all its founders already.
  let voters = Math.max(masters.length, seats.size, masters.length === 0 ? arrivals.length : 0)
  return steps.map((step) => {
    if (step.action === 'set-group' && step.group.role === 'master') {
      if (step.group.size > 0 || sizes.has(step.group.name)) sizes.set(step.group.name, step.group.size)
    }
    if (step.action === 'delete-group') sizes.delete(step.group)
    voters = Math.max(voters, sizes.size)
    const alive = [...sizes.values()].filter((size) => size > 0).length
    const needed = voters === 0 ? 0 : majority(voters)
    const quorum = needed > 0 && alive >= needed
    return { voters, running: alive, needed, mayLose: quorum ? alive - needed : 0, quorum }
  })
}
