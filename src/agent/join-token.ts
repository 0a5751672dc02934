import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import type { KubeApi } from '../controlplane/api.ts'
import { keys } from '../store/keys.ts'
import { type AgentContext, folders } from './context.ts'

/** `CLUSTER/join/worker.json`: what a worker needs to join; workers may read it, nobody else's secrets are in it. */
export interface WorkerJoin {
  token: string
  /** RFC 3339. */
  expires: string
  server: string
  caPem: string
}

const lifetimeMs = 2 * 3600 * 1000
const renewBeforeMs = lifetimeMs / 2

export const isUsable = (join: WorkerJoin | undefined, nowMs: number): join is WorkerJoin =>
  join !== undefined && Date.parse(join.expires) - nowMs > 60_000

/** Makes a new token when the present one has less than half of its two hours left, or is unknown to the API. */
export async function keepJoinToken(context: AgentContext, api: KubeApi): Promise<void> {
  const { cluster, endpoint } = context.identity
  const stored = await context.store.get(keys.workerJoin(cluster))
  const present = stored && (JSON.parse(stored.value) as WorkerJoin)
  const server = `https://${endpoint.address}:${endpoint.port}`
  const good =
    present && Date.parse(present.expires) - Date.now() > renewBeforeMs && present.server === server
  if (good && (await api.tryGet(secretPath(present.token)))) return
  const caPem = await readFile(path.join(folders.pki, 'ca.crt'), 'utf8')
  const join = { token: newToken(), expires: new Date(Date.now() + lifetimeMs).toISOString(), server, caPem }
  await api.create('/api/v1/namespaces/kube-system/secrets', tokenSecret(join))
  await context.store.put(
    keys.workerJoin(cluster),
    JSON.stringify(join),
    stored ? { ifRevision: stored.revision } : { ifAbsent: true },
  )
}

const secretPath = (token: string): string =>
  `/api/v1/namespaces/kube-system/secrets/bootstrap-token-${token.split('.')[0]}`

function newToken(): string {
  const letters = (count: number): string =>
    [...randomBytes(count)].map((byte) => 'abcdefghijklmnopqrstuvwxyz012345'[byte % 32]).join('')
  return `${letters(6)}.${letters(16)}`
}

/** @see https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/ */
function tokenSecret(join: WorkerJoin) {
  const [id, secret] = join.token.split('.')
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'bootstrap.kubernetes.io/token',
    metadata: { name: `bootstrap-token-${id}`, namespace: 'kube-system' },
    stringData: {
      'token-id': id,
      'token-secret': secret,
      expiration: join.expires,
      'usage-bootstrap-authentication': 'true',
      'auth-extra-groups': 'system:bootstrappers:kubeadm:default-node-token',
      description: 'Joins workers; made by Holdfast, renewed by itself.',
    },
  }
}
