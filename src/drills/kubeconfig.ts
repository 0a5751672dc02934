import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'
import { z } from 'zod'
import { HoldfastError, messageOf } from '../errors.ts'

/** How to reach one apiserver, with what to trust and who to be. Never log it: it holds a key. */
export interface ApiTarget {
  host: string
  port: number
  /** The name that the serving certificate must carry; stays the endpoint's when a master is asked directly. */
  serverName: string
  ca?: string
  cert?: string
  key?: string
  token?: string
}

export type KubeconfigSource = { path: string } | { content: string }

const text = z.string().min(1)
const schema = z.object({
  'current-context': text,
  contexts: z.array(z.object({ name: text, context: z.object({ cluster: text, user: text }) })),
  clusters: z.array(
    z.object({
      name: text,
      cluster: z.object({
        server: z.url({ protocol: /^https$/ }),
        'tls-server-name': text.optional(),
        'certificate-authority': text.optional(),
        'certificate-authority-data': text.optional(),
      }),
    }),
  ),
  users: z.array(
    z.object({
      name: text,
      user: z.object({
        'client-certificate': text.optional(),
        'client-certificate-data': text.optional(),
        'client-key': text.optional(),
        'client-key-data': text.optional(),
        token: text.optional(),
      }),
    }),
  ),
})

/**
 * Reads the current context of a kubeconfig. The drills have a reader and a client of their own, so
 * that what they measure does not depend on the code that is measured.
 *
 * @param context another context than the current one.
 * @throws HoldfastError `kubeconfig-unusable`.
 */
export async function readKubeconfig(source: KubeconfigSource, context?: string): Promise<ApiTarget> {
  const where = 'path' in source ? source.path : 'the given kubeconfig'
  try {
    const config = schema.parse(
      parse('path' in source ? await readFile(source.path, 'utf8') : source.content),
    )
    const wanted = context ?? config['current-context']
    const found = config.contexts.find((entry) => entry.name === wanted)?.context
    const cluster = config.clusters.find((entry) => entry.name === found?.cluster)?.cluster
    const user = config.users.find((entry) => entry.name === found?.user)?.user
    if (!cluster || !user) throw new Error(`context ${wanted} names no cluster or user that is there`)
    const url = new URL(cluster.server)
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
    const ca = await content(cluster['certificate-authority-data'], cluster['certificate-authority'])
    const cert = await content(user['client-certificate-data'], user['client-certificate'])
    const key = await content(user['client-key-data'], user['client-key'])
    return {
      host,
      port: Number(url.port || 443),
      serverName: cluster['tls-server-name'] ?? host,
      ...(ca ? { ca } : {}),
      ...(cert ? { cert } : {}),
      ...(key ? { key } : {}),
      ...(user.token ? { token: user.token } : {}),
    }
  } catch (error) {
    throw new HoldfastError('kubeconfig-unusable', `${where} cannot be used: ${messageOf(error)}`, {
      remedy: 'Write it again with `holdfast export kubeconfig NAME`.',
      cause: error,
    })
  }
}

async function content(data: string | undefined, path: string | undefined): Promise<string | undefined> {
  if (data) return Buffer.from(data, 'base64').toString('utf8')
  return path ? await readFile(path, 'utf8') : undefined
}
