import { expect } from 'vitest'
import { get, nodes, type Target } from './client.ts'
import { machinesOf, members } from './machines.ts'
import { eventually } from './wait.ts'
import type { Writes } from './writer.ts'

/**
 * Machines are noisy: the bench asserts the figures themselves, these tests three times as much. What may
 * never happen (an acknowledged write that is lost) has no slack.
 */
export const slack = Number(process.env.HOLDFAST_E2E_SLACK ?? 3)

/** Nothing that was acknowledged is gone, and the client really wrote. */
export function nothingLost(writes: Writes, atLeast: number): void {
  expect(writes.lost).toEqual([])
  expect(writes.acknowledged).toBeGreaterThanOrEqual(atLeast)
}

interface EndpointSlice {
  endpoints: { addresses: string[] }[]
}

/** Nodes and the `kubernetes` Service's endpoints are those of the machines that are there, no others. */
export async function nothingStale(target: Target, timeoutMs = 60_000): Promise<void> {
  await eventually('what belongs to dead machines goes', timeoutMs, async () => {
    const masters = await machinesOf('master')
    const workers = await machinesOf('node')
    const names = (await nodes(target)).map(({ metadata }) => metadata.name)
    expect(names.sort()).toEqual([...masters, ...workers].map(({ id }) => id).sort())
    const path = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes'
    const slice = await get<EndpointSlice>(target, path)
    expect(slice.endpoints.flatMap(({ addresses }) => addresses).sort()).toEqual(
      masters.map(({ address }) => address).sort(),
    )
  })
}

/** Name → id of the three voters of one etcd cluster, seen alike by every master. */
export async function votersOf(etcd: 'main' | 'events'): Promise<Map<string, string>> {
  const views = await Promise.all((await machinesOf('master')).map((machine) => members(machine, etcd)))
  const [first = []] = views
  for (const view of views) expect(view).toEqual(first)
  expect(first.map(({ name, learner, started }) => ({ name, learner, started }))).toEqual(
    ['a', 'b', 'c'].map((name) => ({ name, learner: false, started: true })),
  )
  return new Map(first.map(({ name, id }) => [name, id]))
}
