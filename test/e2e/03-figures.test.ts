import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, expect, test } from 'vitest'
import { parseUsage, usageScript } from '../../bench/agent.ts'
import { slack } from './support/expectations.ts'
import { mustRun } from './support/holdfast.ts'
import { inside, inventory } from './support/machines.ts'
import { clusterName } from './support/place.ts'
import { sharedCluster } from './support/state.ts'

beforeAll(async () => {
  await sharedCluster()
})

test('the agent of each machine stays small, and uses little of a processor', async () => {
  const { machines } = await inventory()
  const look = (id: string) => inside({ id }, usageScript).then(parseUsage)
  const seconds = 20
  const before = await Promise.all(machines.map(({ id }) => look(id)))
  await sleep(seconds * 1_000)
  const after = await Promise.all(machines.map(({ id }) => look(id)))

  expect(machines).toHaveLength(4)
  for (const [index, last] of after.entries()) {
    const first = before[index]
    expect(last.pid).toBeGreaterThan(1)
    expect(last.pid).toBe(first?.pid)
    expect(last.rssMb).toBeGreaterThan(10)
    expect(last.rssMb).toBeLessThan(90 * slack)
    expect(last.cpuSeconds - (first?.cpuSeconds ?? 0)).toBeLessThan((seconds / 100) * slack)
  }
})

test.each([['validate', 'cluster', clusterName], ['get', 'machines', clusterName], ['--help']])(
  '%s answers soon',
  async (...words) => {
    const began = performance.now()
    await mustRun(words)

    expect(performance.now() - began).toBeLessThan(1_000 * slack)
  },
)
