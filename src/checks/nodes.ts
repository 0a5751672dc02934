import type { Machine } from '../clouds/cloud.ts'
import type { Role } from '../spec/types.ts'
import { describeWaiting } from '../store/heartbeats.ts'
import { type Check, outcome } from './check.ts'
import type { CheckContext } from './context.ts'
import { condition, isTrue, type Node } from './kube-shapes.ts'

const controlPlane = 'node-role.kubernetes.io/control-plane'

export const mastersReady: Check = {
  name: 'masters',
  title: 'Masters are Ready, tainted and labelled',
  async run(context) {
    const { machines, nodes, waiting } = await pairs(context, 'master')
    const missing = machines.flatMap((machine) => {
      const node = nodes.get(machine.id)
      const unready = readiness(context, machine, node, waiting)
      if (!node || unready) return [unready ?? '']
      const faults = [
        ...(node.spec?.taints?.some(({ key, effect }) => key === controlPlane && effect === 'NoSchedule')
          ? []
          : ['its taint']),
        ...(node.metadata?.labels?.[controlPlane] === undefined ? ['its label'] : []),
      ]
      return faults.length > 0 ? [`${machine.id} lacks ${faults.join(' and ')}`] : []
    })
    return outcome([...missing, ...tooFew(context, 'master', machines)], `${machines.length} Ready`)
  },
}

export const workersReady: Check = {
  name: 'workers',
  title: 'Workers are Ready',
  async run(context) {
    const { machines, nodes, waiting } = await pairs(context, 'node')
    const missing = machines.flatMap((machine) => {
      const unready = readiness(context, machine, nodes.get(machine.id), waiting)
      return unready ? [unready] : []
    })
    return outcome([...missing, ...tooFew(context, 'node', machines)], `${machines.length} Ready`)
  },
}

/** `waiting`: what each machine waits for that is no node yet, where it has said so. */
async function pairs(
  context: CheckContext,
  role: Role,
): Promise<{ machines: Machine[]; nodes: Map<string, Node>; waiting: ReadonlyMap<string, string> }> {
  const [inventory, listed] = await Promise.all([context.inventory(), context.nodes()])
  const machines = inventory.machines.filter(
    (machine) => machine.role === role && machine.state !== 'stopped',
  )
  const nodes = new Map(listed.map((node) => [node.metadata?.name ?? '', node]))
  const waiting = new Map<string, string>()
  for (const { id } of machines) {
    const words = nodes.has(id) ? undefined : describeWaiting(await context.heartbeat(id), Date.now())
    if (words) waiting.set(id, words)
  }
  return { machines, nodes, waiting }
}

/** Undefined when the node is as well as it can be. */
function readiness(
  context: CheckContext,
  machine: Machine,
  node: Node | undefined,
  waiting: ReadonlyMap<string, string>,
): string | undefined {
  if (!node) {
    const words = waiting.get(machine.id)
    return `${machine.id} is no node yet${words ? `: it waits for ${words}` : ''}`
  }
  if (isTrue(node, 'Ready')) return undefined
  const ready = condition(node, 'Ready')
  // With a network of one's own, nodes wait for it; that is not Holdfast's to mend.
  const { kind } = context.declaration.cluster.spec.networking
  if (kind === 'cni' && /network plugin|cni/i.test(ready?.message ?? '')) return undefined
  return `${machine.id} is not Ready: ${ready?.message ?? 'its kubelet has said nothing yet'}`.slice(0, 300)
}

function tooFew(context: CheckContext, role: Role, machines: readonly Machine[]): string[] {
  const wanted = context.declaration.groups
    .filter(({ spec }) => spec.role === role)
    .reduce((sum, { spec }) => sum + spec.size, 0)
  return machines.length < wanted ? [`${machines.length} of ${wanted} machines are there`] : []
}
