import type { CloudStep, Inventory } from '../clouds/cloud.ts'

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

const majority = (voters: number): number => (voters === 0 ? 0 : Math.floor(voters / 2) + 1)

/**
 * The quorum after each step of a plan, in the order of the steps. Pure. Founders vote from the
 * first on, since they form one cluster together; masters that are added later vote as they come.
 */
export function simulateQuorum(steps: readonly CloudStep[], inventory: Inventory): QuorumLine[] {
  const running = new Map<string, number>()
  for (const group of inventory.groups) if (group.role === 'master') running.set(group.name, group.size)
  const seats = new Set(
    inventory.volumes.filter((volume) => volume.etcd === 'main').map((volume) => volume.seat),
  )
  const founders = steps.filter((step) => step.action === 'set-group' && step.group.role === 'master').length
  const isNew = running.size === 0 && founders > 0
  // A creation that was cut off has made the volumes of all its founders already.
  let voters = Math.max(running.size, seats.size, isNew ? founders : 0)
  return steps.map((step) => {
    if (step.action === 'set-group' && step.group.role === 'master')
      running.set(step.group.name, step.group.size)
    if (step.action === 'delete-group') running.delete(step.group)
    voters = Math.max(voters, running.size)
    const alive = [...running.values()].filter((size) => size > 0).length
    const needed = majority(voters)
    const quorum = needed > 0 && alive >= needed
    return { voters, running: alive, needed, mayLose: quorum ? alive - needed : 0, quorum }
  })
}
