import { afterAll, beforeAll, expect, test } from 'vitest'
import { targetOf } from './support/client.ts'
import { nothingLost } from './support/expectations.ts'
import { holdfast, mustRun } from './support/holdfast.ts'
import { cloud, machinesOf, members } from './support/machines.ts'
import { mustBeWell, sharedCluster } from './support/state.ts'
import { defined, eventually } from './support/wait.ts'
import { startWriter } from './support/writer.ts'

const five = 'five'

beforeAll(async () => {
  await sharedCluster()
})

afterAll(async () => {
  await holdfast(['delete', 'cluster', five, '--yes'])
})

test('five masters over three zones: two may die at once', async () => {
  await mustRun(['up', five, '--masters', '5', '--workers', '0', '--zones', 'a,b,c'], 400_000)
  const masters = await machinesOf('master', five)
  expect(masters.map(({ zone }) => zone).sort()).toEqual(['a', 'a', 'b', 'b', 'c'])
  const [first, ...others] = masters
  const voters = await members(defined(first, 'master'), 'main')
  expect(voters.filter(({ learner, started }) => !learner && started)).toHaveLength(5)
  const writer = await startWriter(targetOf(five))
  await eventually('it writes', 10_000, async () => expect(writer.acknowledged()).toBeGreaterThan(20))

  const killed = others.slice(0, 2)
  await Promise.all(killed.map(({ id }) => cloud().power(id, 'kill')))

  await mustBeWell(five, '4m')
  const writes = await writer.stop()
  console.log(`two of five killed: ${JSON.stringify({ ...writes, lost: writes.lost.length })}`)
  nothingLost(writes, 50)
  const after = await machinesOf('master', five)
  expect(after).toHaveLength(5)
  for (const { id } of killed) expect(after.map((machine) => machine.id)).not.toContain(id)
  expect(await members(defined(first, 'master'), 'main')).toEqual(voters)
})
