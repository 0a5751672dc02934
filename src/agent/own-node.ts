import { stat } from 'node:fs/promises'
import { fromKubeconfig, type KubeApi } from '../controlplane/api.ts'
import type { AgentContext } from './context.ts'
import { type NodeWatch, watchNodes } from './node-watch.ts'
import { keepPodNetwork } from './pod-network.ts'

/** What masters and workers do alike once they are nodes: watch the nodes and keep the pod network in step. */
export function keepOwnNode(
  context: AgentContext,
  kubeconfig: string,
): { api: () => Promise<KubeApi>; nodes: NodeWatch['nodes'] } {
  let made: { client: KubeApi; mtimeMs: number } | undefined
  const api = async (): Promise<KubeApi> => {
    // A certificate in it is read when the client is made: with a renewed one it is made anew.
    const { mtimeMs } = await stat(kubeconfig)
    if (made?.mtimeMs !== mtimeMs) {
      made = { client: await fromKubeconfig(kubeconfig, { timeoutMs: 5_000 }), mtimeMs }
    }
    return made.client
  }
  const network = { nudge: () => {} }
  const watch = watchNodes(
    api,
    () => network.nudge(),
    (reason) => context.say('nodes', reason),
  )
  network.nudge = keepPodNetwork(context, watch.nodes).nudge
  return { api, nodes: watch.nodes }
}
