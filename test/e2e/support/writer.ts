import { setTimeout as sleep } from 'node:timers/promises'
import { call, ensure, get, type KubeList, remove, type Target } from './client.ts'

export interface Writes {
  sent: number
  acknowledged: number
  failed: number
  /** The longest time between two acknowledgements. */
  longestGapMs: number
  /** Acknowledged, but no longer there. */
  lost: string[]
}

export interface Writer {
  acknowledged(): number
  /** Stops, reads everything back and removes it. */
  stop(): Promise<Writes>
  stop(options: { keep: true }): Promise<Kept>
}

/** Writes that have ended but are still to be there. */
export interface Kept {
  /** Acknowledged, but not there now. @throws Error while the API does not answer. */
  missing(): Promise<string[]>
  /** Reads everything back and removes it. */
  stop(): Promise<Writes>
}

let count = 0

/**
 * Writes ten ConfigMaps a second, each on a connection of its own with a limit of a second and no
 * retry; a 201 counts as acknowledged. What was acknowledged must be there at the end.
 */
export async function startWriter(target: Target): Promise<Writer> {
  const namespace = `writes-${process.pid}-${Date.now()}-${count++}`
  const path = `/api/v1/namespaces/${namespace}/configmaps`
  await ensure(target, '/api/v1/namespaces', {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: namespace },
  })
  const acknowledged = new Set<string>()
  const underWay = new Set<Promise<void>>()
  let sent = 0
  let last = performance.now()
  let longestGapMs = 0
  let stopped = false

  const write = async (name: string): Promise<void> => {
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { name } }
    const status = await call(target, 'POST', path, body, 1_000).then(
      (answer) => answer.status,
      () => 0,
    )
    if (status !== 201) return
    acknowledged.add(name)
    longestGapMs = Math.max(longestGapMs, performance.now() - last)
    last = performance.now()
  }
  const loop = (async () => {
    while (!stopped) {
      const one = write(`w-${sent++}`)
      underWay.add(one)
      void one.finally(() => underWay.delete(one))
      await sleep(100)
    }
    await Promise.all(underWay)
  })()

  async function missing(): Promise<string[]> {
    const found = await get<KubeList<{ metadata: { name: string } }>>(target, path)
    const names = new Set(found.items.map(({ metadata }) => metadata.name))
    return [...acknowledged].filter((name) => !names.has(name))
  }

  async function end(): Promise<Writes> {
    const lost = await missing()
    await remove(target, `/api/v1/namespaces/${namespace}`)
    const failed = sent - acknowledged.size
    return {
      sent,
      acknowledged: acknowledged.size,
      failed,
      longestGapMs: Math.round(longestGapMs),
      lost,
    }
  }

  async function stop(): Promise<Writes>
  async function stop(options: { keep: true }): Promise<Kept>
  async function stop(options?: { keep: true }): Promise<Writes | Kept> {
    if (!stopped) {
      stopped = true
      await loop
      longestGapMs = Math.max(longestGapMs, performance.now() - last)
    }
    return options?.keep ? { missing, stop: end } : end()
  }

  return { acknowledged: () => acknowledged.size, stop }
}
