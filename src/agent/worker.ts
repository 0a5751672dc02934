import { access } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { criSocket, kubeletFlags } from '../controlplane/kubeadm-config.ts'
import { HoldfastError, messageOf } from '../errors.ts'
import { keys } from '../store/keys.ts'
import { command } from './command.ts'
import type { AgentContext } from './context.ts'
import { nodeFacts } from './facts.ts'
import { readIfThere, writeIfChanged } from './files.ts'
import { isUsable, type WorkerJoin } from './join-token.ts'
import { kubeadm, kubeletConf } from './kubernetes.ts'
import { keepOwnNode } from './own-node.ts'

const joinConfig = '/etc/holdfast/kubeadm-join.yaml'
const discoveryFile = '/etc/holdfast/discovery.conf'
const kubeletFlagsFile = '/var/lib/kubelet/kubeadm-flags.env'
const retryMs = 250
const longestPauseMs = 10_000

/** A worker, from its boot on: joins with the token of the moment, then keeps its pod network. */
export async function runWorker(context: AgentContext): Promise<void> {
  for (let pauseMs = retryMs; ; ) {
    try {
      await join(context)
      context.say('join', undefined)
      break
    } catch (error) {
      context.say('join', messageOf(error))
      // To look whether there is a token costs little; kubeadm does not.
      const looked = error instanceof HoldfastError && error.code === 'join-token-missing'
      pauseMs = looked ? retryMs : Math.min(2 * pauseMs, longestPauseMs)
      await sleep(pauseMs)
    }
  }
  keepOwnNode(context, kubeletConf)
}

async function join(context: AgentContext): Promise<void> {
  const joined = await access(kubeletConf).then(
    () => true,
    () => false,
  )
  if (joined) {
    const flags = await readIfThere(kubeletFlagsFile)
    if (flags) await writeIfChanged(kubeletFlagsFile, withNodeIp(flags, context.identity.address))
    await command('systemctl', ['start', 'kubelet'])
    return
  }
  const stored = await context.store.get(keys.workerJoin(context.identity.cluster))
  const token = stored && (JSON.parse(stored.value) as WorkerJoin)
  if (!isUsable(token, Date.now())) {
    throw new HoldfastError(
      'join-token-missing',
      'the masters have not made a join token yet, or it has run out',
    )
  }
  const facts = await nodeFacts(context)
  await writeIfChanged(discoveryFile, discoveryKubeconfig(context.identity.cluster, token))
  await writeIfChanged(
    joinConfig,
    JSON.stringify({
      apiVersion: 'kubeadm.k8s.io/v1beta4',
      kind: 'JoinConfiguration',
      discovery: { file: { kubeConfigPath: discoveryFile }, tlsBootstrapToken: token.token },
      nodeRegistration: {
        name: facts.nodeName,
        criSocket,
        imagePullPolicy: 'IfNotPresent',
        kubeletExtraArgs: Object.entries(kubeletFlags(facts)).map(([name, value]) => ({ name, value })),
      },
    }),
  )
  await kubeadm(['join', `--config=${joinConfig}`, '--skip-phases=preflight'], { timeoutMs: 180_000 })
}

/** kubeadm writes the flags once, when a node joins; its machine may come back with another address. */
export const withNodeIp = (flags: string, address: string): string =>
  flags.replace(/--node-ip=[^\s"]+/, `--node-ip=${address}`)

/** Who the cluster is, without any credentials: the token is given beside it. */
function discoveryKubeconfig(cluster: string, { server, caPem }: WorkerJoin): string {
  const data = { server, 'certificate-authority-data': Buffer.from(caPem).toString('base64') }
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: cluster, cluster: data }],
    contexts: [{ name: cluster, context: { cluster, user: 'nobody' } }],
    'current-context': cluster,
    users: [{ name: 'nobody', user: {} }],
  })
}
