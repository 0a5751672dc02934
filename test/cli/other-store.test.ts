import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { localPaths } from '../../src/clouds/local/records.ts'
import { type TestCli, testCli } from './support.ts'

let cli: TestCli
beforeEach(() => {
  cli = testCli()
})
afterEach(() => cli.remove())

const words = (text: string) => text.replaceAll('DIR', cli.cwd).split(' ')

/** This host's machines of `try` are those of the cluster in DIR/a; DIR/b declares one of that name too. */
async function twoStores(): Promise<void> {
  await cli.run(words('create cluster try --state file://DIR/a'))
  await cli.run(words('create cluster try --state file://DIR/b'))
  const record = localPaths({ dir: cli.home }).clusterRecord('try')
  mkdirSync(dirname(record), { recursive: true })
  const storeUrl = `file://${cli.cwd}/a`
  writeFileSync(record, JSON.stringify({ name: 'try', index: 0, groups: {}, storeUrl }))
}

test('no remedy of a name in two stores leads to the deletion of the other one', async () => {
  await twoStores()

  const shown = await cli.run(words('delete cluster try --state file://DIR/b'))
  const updated = await cli.run(words('update cluster try --yes --state file://DIR/b'))

  expect(shown.out).toContain(`\`holdfast delete cluster try --yes --state file://${cli.cwd}/b\``)
  expect(updated.err).toContain(`\`holdfast delete cluster try --yes --state file://${cli.cwd}/b\``)
  for (const hint of `${shown.out}${updated.err}`.matchAll(/delete cluster[^`]*/g))
    expect(hint[0]).toMatch(/b$/)
})

test('what is declared in the store that is named can be deleted alone', async () => {
  await twoStores()

  const ran = await cli.run(words('delete cluster try --yes --state file://DIR/b'))

  expect(ran).toMatchObject({ code: 0, out: 'Cluster try is gone.\n' })
  expect(ran.err).toMatch(/they stay, and only what this store holds/)
  expect((await cli.run(words('get clusters --state file://DIR/b'))).out).not.toContain('try')
  expect((await cli.run(words('get cluster try -o yaml --state file://DIR/a'))).code).toBe(0)
})
