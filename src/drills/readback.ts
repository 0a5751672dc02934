import { z } from 'zod'
import { HoldfastError, messageOf } from '../errors.ts'
import { nowMs, sleep } from './clock.ts'
import { type HttpsClient, httpsClient } from './https-client.ts'
import type { ApiTarget } from './kubeconfig.ts'
import { drillNamespacePrefix } from './workload.ts'

export interface ReadBackMaster {
  name: string
  address: string
  port: number
}

/** What one master's own apiserver holds of the namespace. */
export interface MasterReadBack {
  master: string
  /** Not there when the master could not be read within the time limit; `error` says why. */
  names?: ReadonlySet<string>
  error?: string
}

const pageSize = 500
const pageTimeoutMs = 5000
const metadataOnly = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json'

const listSchema = z.object({
  metadata: z.object({ continue: z.string().optional() }),
  items: z.array(z.object({ metadata: z.object({ name: z.string() }) })).nullable(),
})

/**
 * Lists every ConfigMap of the namespace through each master directly (not through the endpoint),
 * with the endpoint's name expected in its certificate.
 *
 * @param timeoutMs for each master; a failed list is begun anew until then.
 */
export async function readBack(
  target: ApiTarget,
  masters: readonly ReadBackMaster[],
  namespace: string,
  timeoutMs = 30_000,
): Promise<MasterReadBack[]> {
  const results: MasterReadBack[] = []
  // One after the other: three full lists at once would be a load of their own.
  for (const { name, address, port } of masters) {
    const client = httpsClient({ ...target, host: address, port })
    const deadline = nowMs() + timeoutMs
    let result: MasterReadBack = { master: name, error: 'not asked' }
    for (;;) {
      try {
        result = { master: name, names: await listNames(client, namespace) }
        break
      } catch (error) {
        result = { master: name, error: `${address}:${port}: ${messageOf(error)}` }
        if (nowMs() + 500 > deadline) break
        await sleep(500)
      }
    }
    results.push(result)
  }
  return results
}

async function listNames(client: HttpsClient, namespace: string): Promise<Set<string>> {
  const names = new Set<string>()
  let next = ''
  do {
    const query = `limit=${pageSize}${next ? `&continue=${encodeURIComponent(next)}` : ''}`
    const path = `/api/v1/namespaces/${namespace}/configmaps?${query}`
    const answer = await client.call({ method: 'GET', path, accept: metadataOnly, timeoutMs: pageTimeoutMs })
    if (answer.status !== 200 || answer.cut) {
      throw new Error(answer.cut ?? `status ${answer.status}: ${answer.body.slice(0, 200)}`)
    }
    const page = listSchema.parse(JSON.parse(answer.body))
    for (const item of page.items ?? []) names.add(item.metadata.name)
    next = page.metadata.continue ?? ''
  } while (next)
  return names
}

/**
 * Deletes a drill's namespace; that it is gone already is no error.
 * @throws HoldfastError `drill-namespace-left` when it could not be asked for within the time limit.
 */
export async function deleteNamespace(
  target: ApiTarget,
  namespace: string,
  timeoutMs = 15_000,
): Promise<void> {
  if (!namespace.startsWith(drillNamespacePrefix)) throw new Error(`${namespace} is no drill's namespace`)
  const client = httpsClient(target)
  const deadline = nowMs() + timeoutMs
  let reason = ''
  while (nowMs() < deadline) {
    try {
      const path = `/api/v1/namespaces/${namespace}`
      const answer = await client.call({ method: 'DELETE', path, timeoutMs: pageTimeoutMs })
      if ([200, 202, 404, 409].includes(answer.status)) return
      reason = `status ${answer.status}`
    } catch (error) {
      reason = messageOf(error)
    }
    await sleep(500)
  }
  throw new HoldfastError(
    'drill-namespace-left',
    `The drill's namespace ${namespace} is still there: ${reason}`,
    {
      remedy: `Delete it with \`kubectl delete namespace ${namespace}\`.`,
    },
  )
}
