import { afterEach, beforeEach, expect, test } from 'vitest'
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
  const lacks = { severity: 'error', path: '', message: 'root is needed', remedy: 'Use sudo.' } as const
  const ran = await cli.run(['demo'], {
    env: { HOLDFAST_CLUSTER: 'prod' },
    probes: { preflight: async () => [lacks] },
  })
  expect(ran.err).not.toContain('prod')
  expect(ran.err).toContain('root is needed')
})
