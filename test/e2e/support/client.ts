import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { parse } from 'yaml'
import { kubeconfigFile } from './place.ts'

/**
 * An independent client of the API: Node's own https with what stands in the exported kubeconfig.
 * Nothing of Holdfast's own clients, so that a fault in those cannot hide.
 */
export interface Target {
  server: string
  ca: Buffer
  cert: Buffer
  key: Buffer
}

interface Kubeconfig {
  clusters: { name: string; cluster: { server: string; 'certificate-authority-data': string } }[]
  users: { name: string; user: { 'client-certificate-data': string; 'client-key-data': string } }[]
}

export function targetOf(cluster: string, file = kubeconfigFile): Target {
  const config = parse(readFileSync(file, 'utf8')) as Kubeconfig
  const name = `holdfast-${cluster}`
  const entry = config.clusters.find((one) => one.name === name)?.cluster
  const user = config.users.find((one) => one.name === name)?.user
  if (!entry || !user) throw new Error(`${file} has no ${name}`)
  const decode = (text: string) => Buffer.from(text, 'base64')
  return {
    server: entry.server,
    ca: decode(entry['certificate-authority-data']),
    cert: decode(user['client-certificate-data']),
    key: decode(user['client-key-data']),
  }
}

export interface Answer {
  status: number
  body: string
}

/** One request on a connection of its own. @throws Error when no answer came within `timeoutMs`. */
export function call(
  target: Target,
  method: string,
  path: string,
  body?: object,
  timeoutMs = 5_000,
): Promise<Answer> {
  const { server, ca, cert, key } = target
  return new Promise((resolve, reject) => {
    const text = body && JSON.stringify(body)
    const headers = text
      ? {
          'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
          'content-length': Buffer.byteLength(text),
        }
      : {}
    const signal = AbortSignal.timeout(timeoutMs)
    const options = { method, ca, cert, key, agent: false, headers, signal } as const
    const sent = request(new URL(path, server), options, (response) => {
      let answer = ''
      response.setEncoding('utf8')
      response.on('data', (part: string) => {
        answer += part
      })
      response.once('error', reject)
      response.once('end', () => resolve({ status: response.statusCode ?? 0, body: answer }))
    })
    sent.once('error', reject)
    sent.end(text)
  })
}

/** @throws Error unless the answer is 200. */
export async function get<T>(target: Target, path: string): Promise<T> {
  const { status, body } = await call(target, 'GET', path)
  if (status !== 200) throw new Error(`GET ${path}: ${status} ${body.slice(0, 300)}`)
  return JSON.parse(body) as T
}

/** Creates, or finds it there already. */
export async function ensure(target: Target, path: string, object: object): Promise<void> {
  const { status, body } = await call(target, 'POST', path, object)
  if (status !== 201 && status !== 409) throw new Error(`POST ${path}: ${status} ${body.slice(0, 300)}`)
}

export async function patch(target: Target, path: string, change: object): Promise<void> {
  const { status, body } = await call(target, 'PATCH', path, change)
  if (status !== 200) throw new Error(`PATCH ${path}: ${status} ${body.slice(0, 300)}`)
}

export async function remove(target: Target, path: string): Promise<void> {
  const { status, body } = await call(target, 'DELETE', path)
  if (![200, 202, 404].includes(status)) throw new Error(`DELETE ${path}: ${status} ${body.slice(0, 300)}`)
}

export interface KubeList<T> {
  items: T[]
}

export interface Node {
  metadata: { name: string; uid: string; labels: Record<string, string>; creationTimestamp: string }
  spec: { taints?: { key: string; effect: string }[]; podCIDR?: string }
  status: {
    conditions?: { type: string; status: string }[]
    addresses?: { type: string; address: string }[]
  }
}

export interface Pod {
  metadata: { name: string; uid: string; labels?: Record<string, string>; deletionTimestamp?: string }
  spec: { nodeName?: string }
  status: { phase: string; podIP?: string; conditions?: { type: string; status: string }[] }
}

export const isReady = (object: { status: { conditions?: { type: string; status: string }[] } }): boolean =>
  object.status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false

export const nodes = async (target: Target): Promise<Node[]> =>
  (await get<KubeList<Node>>(target, '/api/v1/nodes')).items
