import { afterEach, beforeEach, expect, test } from 'vitest'
import { goodHost } from '../clouds/local-acting/good-host.ts'
import { type TestCli, testCli } from './support.ts'

let cli: TestCli

beforeEach(async () => {
  cli = testCli()
  expect((await cli.run(['create', 'cluster', 'prod', '--cloud', 'local', '--workers', '3'])).code).toBe(0)
})
afterEach(() => cli.remove())

test('the demo kills no masters of a cluster that was there before', async () => {
  const before = cli.snapshot()
  const ran = await cli.run(['demo', '--name', 'prod'])
  expect(ran.code).toBe(2)
  expect(ran.err).toMatch(/prod is there already: two of its masters would be killed/)
  expect(cli.snapshot()).toEqual(before)
})

test('nor does HOLDFAST_CLUSTER choose one for it', async () => {
  const ran = await cli.run(['demo'], {
    env: { HOLDFAST_CLUSTER: 'prod' },
    probes: { hostFacts: async () => ({ ...goodHost, root: false }) },
  })
  expect(ran.err).not.toContain('prod')
  expect(ran.err).toContain('which takes root')
})
