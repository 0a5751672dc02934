import type { Machine } from '../clouds/cloud.ts'
import { messageOf } from '../errors.ts'
import { type Check, type CheckOutcome, failed, outcome, passed } from './check.ts'
import type { CheckContext } from './context.ts'
import { condition, isTrue, type Pod } from './kube-shapes.ts'

/** Asked itself: what kubelet says of a static pod is some seconds old. */
export const apiserversReady: Check = {
  name: 'apiservers',
  title: 'An apiserver is ready on each master',
  async run(context) {
    const { machines } = await context.inventory()
    const masters = machines.filter((machine) => machine.role === 'master')
    const answers = await Promise.all(
      masters.map(async (machine) => {
        const answer = await context.readyzOf(machine).catch(messageOf)
        return answer.trim() === 'ok' ? [] : [`${machine.id}: ${answer.slice(0, 200)}`]
      }),
    )
    return outcome(answers.flat(), `${masters.length} ready`)
  },
}

export const kubeProxyPods: Check = {
  name: 'kube-proxy',
  title: 'kube-proxy is ready on each node',
  async run(context) {
    const { machines } = await context.inventory()
    return onEach(machines, await podsOf(context, 'k8s-app', 'kube-proxy'))
  },
}

export const corednsAvailable: Check = {
  name: 'coredns',
  title: 'CoreDNS is Available',
  async run(context) {
    const machines = context.declaration.groups.reduce((sum, group) => sum + group.spec.size, 0)
    if (machines === 0) return passed('there is no machine to run it')
    const deployment = await context.coredns()
    if (!deployment) return failed('it is not deployed yet')
    if (isTrue(deployment, 'Available')) {
      return passed(
        `${deployment.status?.availableReplicas ?? 0} of ${deployment.spec?.replicas ?? 0} available`,
      )
    }
    if (context.declaration.cluster.spec.networking.kind === 'cni') {
      return passed('waits for the pod network that you bring')
    }
    return failed(condition(deployment, 'Available')?.message ?? 'nothing is known of it yet')
  },
}

async function podsOf(context: CheckContext, label: string, value: string): Promise<Pod[]> {
  const pods = await context.systemPods()
  return pods.filter((pod) => pod.metadata?.labels?.[label] === value)
}

function onEach(machines: readonly Machine[], pods: readonly Pod[]): CheckOutcome {
  const missing = machines.flatMap((machine) => {
    const own = pods.filter((pod) => pod.spec?.nodeName === machine.id)
    if (own.some((pod) => isTrue(pod, 'Ready'))) return []
    const why = own[0]
      ? (condition(own[0], 'Ready')?.message ?? own[0].status?.phase ?? 'not ready')
      : 'no pod yet'
    return [`${machine.id}: ${why}`]
  })
  return outcome(missing, `${machines.length} ready`)
}
