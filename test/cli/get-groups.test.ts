import { afterEach, beforeEach, expect, test } from 'vitest'
import { type TestCli, testCli } from './support.ts'

let cli: TestCli
beforeEach(async () => {
  cli = testCli()
  await declare('try')
})
afterEach(() => cli.remove())

const declare = (name: string) => cli.run(['create', 'cluster', name, '--masters', '1', '--zones', 'a'])

/** `cluster/group` of each group that is listed, or the error. */
async function listed(words: string, env: Record<string, string> = {}): Promise<string[] | string> {
  const { code, out, err } = await cli.run([...words.split(' '), '-o', 'json'], { env })
  const data = JSON.parse(out || err)
  if (code !== 0) return data.error.message
  return data.map(
    ({ metadata }: { metadata: { cluster: string; name: string } }) => `${metadata.cluster}/${metadata.name}`,
  )
}

const all = (cluster: string) => [`${cluster}/master-a`, `${cluster}/nodes`]

test('a name is a group of the cluster that is named, or of the only one', async () => {
  expect(await listed('get ig nodes')).toEqual(['try/nodes'])
  await declare('other')

  expect(await listed('get ig nodes --name try')).toEqual(['try/nodes'])
  expect(await listed('--name other get ig nodes master-a')).toEqual(['other/nodes', 'other/master-a'])
  expect(await listed('get ig nodes', { HOLDFAST_CLUSTER: 'other' })).toEqual(['other/nodes'])
  expect(await listed('get ig nodes')).toContain('Which cluster? There are several')
  expect(await listed('get ig none --name try')).toBe('Cluster try has no instance group "none"')
})

test('one name that is a cluster lists its groups', async () => {
  expect(await listed('get ig try')).toEqual(all('try'))
  await declare('other')

  expect(await listed('get ig try')).toEqual(all('try'))
  expect(await listed('get ig try --name try')).toEqual(all('try'))
  expect(await listed('get ig try', { HOLDFAST_CLUSTER: 'other' })).toEqual(all('try'))
  expect(await listed('get ig try --name other')).toBe('Cluster other has no instance group "try"')
})

test('a group comes before a cluster of its name', async () => {
  await declare('nodes')

  expect(await listed('get ig nodes --name try')).toEqual(['try/nodes'])
  expect(await listed('get ig nodes', { HOLDFAST_CLUSTER: 'try' })).toEqual(['try/nodes'])
  expect(await listed('get ig nodes')).toEqual(all('nodes'))
})

test('without a name all groups of the cluster', async () => {
  expect(await listed('get ig')).toEqual(all('try'))
  expect(await listed('get ig --name try')).toEqual(all('try'))
})
