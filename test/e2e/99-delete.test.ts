import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { get, targetOf } from './support/client.ts'
import { holdfast, mustRun } from './support/holdfast.ts'
import { type HostState, hostState } from './support/host-state.ts'
import { inventory } from './support/machines.ts'
import { clusterName, kubeconfigBefore, kubeconfigFile } from './support/place.ts'
import { type State, sharedCluster, writeState } from './support/state.ts'
import { eventually } from './support/wait.ts'

let state: State

beforeAll(async () => {
  state = await sharedCluster()
})

afterAll(() => {
  // A run that keeps its cluster starts over with a new one.
  writeState({ before: state.before })
})

test('what the first of these tests wrote is still there', async () => {
  const path = '/api/v1/namespaces/default/configmaps/canary'

  const { data } = await get<{ data: object }>(targetOf(clusterName), path)

  expect(data).toEqual({ sings: 'yes' })
})

test('nothing is deleted without a name, or without --yes', async () => {
  const before = await inventory()

  const nameless = await holdfast(['delete', 'cluster', '--yes'])
  const shown = await holdfast(['delete', 'cluster', clusterName])

  expect(nameless.code).toBe(2)
  expect(nameless.err).toContain('never guesses')
  expect(shown.code).toBe(0)
  for (const { id } of [...before.machines, ...before.volumes]) expect(shown.out).toContain(id)
  expect(await inventory()).toEqual(before)
})

/** The store's own bookkeeping outlives clusters, as docs/local.md says: its lock, and the highest revision of a deleted key. */
const bookkeeping = /^store(\/\.holdfast(\/(floor|lock(\/free)?))?)?$/

test('delete leaves no difference on this host, and in the kubeconfig nothing of its own', async () => {
  const during = hostState()
  for (const what of ['loops', 'links', 'routes', 'rules', 'groups', 'processes', 'home'] as const)
    expect(during[what].length, what).toBeGreaterThan(state.before[what].length)

  await mustRun(['delete', 'cluster', clusterName, '--yes'])

  // As kind does: no context is the current one, because the one that was is gone.
  const kubeconfig = readFileSync(kubeconfigFile, 'utf8')
  expect(parse(kubeconfig)).toEqual({ ...parse(kubeconfigBefore), 'current-context': '' })
  expect(kubeconfig).toContain('# my clusters')
  await eventually('the host is as it was before', 20_000, async () => {
    const { home: folders, ...after }: HostState = hostState()
    const { home: foldersBefore, ...before } = state.before
    expect(after).toEqual(before)
    expect(folders.filter((name) => !bookkeeping.test(name))).toEqual(foldersBefore)
  })
})

test('what is gone is gone: get lists nothing, validate and a second delete say so', async () => {
  expect(JSON.parse(await mustRun(['get', 'clusters', '--output', 'json']))).toEqual([])
  expect((await holdfast(['validate', 'cluster', clusterName])).code).not.toBe(0)
  const again = await holdfast(['delete', 'cluster', clusterName, '--yes'])
  expect(again.code).toBe(2)
  expect(again.err).toContain(clusterName)
})
