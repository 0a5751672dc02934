import { rm } from 'node:fs/promises'
import { fromKubeconfig, isKubeReason, type KubeApi, type KubeObject } from '../controlplane/api.ts'
import type { ClusterSpec } from '../spec/types.ts'
import type { AgentContext } from './context.ts'
import { applyCoreDns } from './core-dns.ts'
import { readIfThere } from './files.ts'
import { keepJoinToken } from './join-token.ts'
import { clusterPhases, kubeadmInit, superAdminConf } from './kubernetes.ts'

const marker = '/api/v1/namespaces/kube-system/configmaps/holdfast'

/** What the cluster-wide phases were done for; another version does them again. */
const doneFor = (cluster: ClusterSpec): string => `${cluster.spec.kubernetesVersion}/1`

export async function clusterPhasesDone(api: KubeApi, cluster: ClusterSpec): Promise<boolean> {
  const found = await api.tryGet<{ data?: Record<string, string> }>(marker)
  return found?.data?.phases === doneFor(cluster)
}

/**
 * What is done once for the whole cluster, by whoever holds the duties: administrators' rights,
 * kubeadm's configuration, tokens' rights, CoreDNS and kube-proxy. Every part may be repeated.
 * @param zones how many zones have a master.
 */
export async function doClusterPhases(context: AgentContext, zones: number): Promise<void> {
  const { cluster } = context
  // Rights for admin.conf can only be given by super-admin.conf, which bypasses them.
  const first = await fromKubeconfig(superAdminConf)
  try {
    await createIfMissing(first, '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: 'kubeadm:cluster-admins' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'kubeadm:cluster-admins' }],
    })
    // Workers wait for their token, so it is made as soon as it gives them any rights.
    const joinable = kubeadmInit(clusterPhases).then(() => keepJoinToken(context, first))
    await Promise.all([joinable, applyCoreDns(first, zones), readersOfNodes(first)])
    await dropDefaultToken(first)
    await createIfMissing(first, '/api/v1/namespaces/kube-system/configmaps', {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'holdfast', namespace: 'kube-system' },
    })
    await first.patch(marker, { data: { phases: doneFor(cluster) } })
  } finally {
    first.close()
  }
}

/** Once administrators have their rights, the file that bypasses all of them goes, on every master. */
export async function dropSuperAdmin(): Promise<void> {
  if ((await readIfThere(superAdminConf)) !== undefined) await rm(superAdminConf, { force: true })
}

/** A kubelet may read only its own node; the agent on a worker needs the others' pod ranges. */
async function readersOfNodes(api: KubeApi): Promise<void> {
  const group = 'rbac.authorization.k8s.io'
  const name = 'holdfast:pod-network'
  await createIfMissing(api, `/apis/${group}/v1/clusterroles`, {
    apiVersion: `${group}/v1`,
    kind: 'ClusterRole',
    metadata: { name },
    rules: [{ apiGroups: [''], resources: ['nodes'], verbs: ['get', 'list', 'watch'] }],
  })
  await createIfMissing(api, `/apis/${group}/v1/clusterrolebindings`, {
    apiVersion: `${group}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name },
    roleRef: { apiGroup: group, kind: 'ClusterRole', name },
    subjects: [{ apiGroup: group, kind: 'Group', name: 'system:nodes' }],
  })
}

/** kubeadm makes a token for a day that nobody has asked for; workers' tokens live two hours. */
async function dropDefaultToken(api: KubeApi): Promise<void> {
  const secrets = '/api/v1/namespaces/kube-system/secrets'
  const tokens = await api.list<KubeObject & { data?: Record<string, string> }>(
    `${secrets}?fieldSelector=${encodeURIComponent('type=bootstrap.kubernetes.io/token')}`,
  )
  for (const token of tokens.items) {
    const description = Buffer.from(token.data?.description ?? '', 'base64').toString('utf8')
    if (description.includes('kubeadm init')) await api.delete(`${secrets}/${token.metadata?.name}`)
  }
}

async function createIfMissing(api: KubeApi, path: string, object: unknown): Promise<void> {
  try {
    await api.create(path, object)
  } catch (error) {
    if (!isKubeReason(error, 'AlreadyExists')) throw error
  }
}
