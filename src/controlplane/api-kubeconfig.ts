import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { messageOf } from '../errors.ts'
import { type KubeApi, kubeApi } from './api.ts'
import { KubeApiError } from './api-error.ts'
import type { KubeConnection } from './api-transport.ts'

interface KubeconfigFile {
  'current-context'?: string
  clusters?: { name: string; cluster?: Record<string, string> }[]
  contexts?: { name: string; context?: { cluster?: string; user?: string } }[]
  users?: { name: string; user?: Record<string, string> }[]
}

/**
 * The connection that a kubeconfig's current context (or `context`) describes. Only certificates and
 * tokens: exec plugins are not run.
 * @throws KubeApiError `BadKubeconfig`
 */
export async function connectionFromKubeconfig(
  file: string,
  options: { context?: string; timeoutMs?: number } = {},
): Promise<KubeConnection> {
  const { parse } = await import('yaml')
  const bad = (reason: string) => new KubeApiError(0, 'BadKubeconfig', `${file}: ${reason}`)
  let config: KubeconfigFile | null
  try {
    config = parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw bad(messageOf(error))
  }
  const name = options.context ?? config?.['current-context']
  const context = config?.contexts?.find((entry) => entry.name === name)?.context
  const cluster = config?.clusters?.find((entry) => entry.name === context?.cluster)?.cluster
  const user = config?.users?.find((entry) => entry.name === context?.user)?.user
  const server = cluster?.server
  if (!context) throw bad(`it has no context ${JSON.stringify(name ?? '')}`)
  if (!server) throw bad(`the cluster of context ${name} has no server`)

  const part = <K extends string>(key: K, from: Record<string, string> | undefined, field: string) => {
    const data = from?.[`${field}-data`]
    const path = from?.[field]
    if (data) return { [key]: Buffer.from(data, 'base64').toString('utf8') }
    return path ? { [`${key}File`]: resolve(dirname(file), path) } : {}
  }
  return {
    server,
    ...part('ca', cluster, 'certificate-authority'),
    ...part('cert', user, 'client-certificate'),
    ...part('key', user, 'client-key'),
    ...(user?.token ? { token: user.token } : {}),
    ...(cluster?.['tls-server-name'] ? { serverName: cluster['tls-server-name'] } : {}),
    ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
  }
}

export const fromKubeconfig = async (
  file: string,
  options: { context?: string; timeoutMs?: number } = {},
): Promise<KubeApi> => kubeApi(await connectionFromKubeconfig(file, options))
