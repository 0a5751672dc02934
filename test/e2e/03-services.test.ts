import { beforeAll, expect, test } from 'vitest'
import { call, ensure, get, targetOf } from './support/client.ts'
import { clusterName } from './support/place.ts'
import { deployProbe, servicesWork } from './support/probe.ts'
import { sharedCluster } from './support/state.ts'

beforeAll(async () => {
  await sharedCluster()
})

test('Services of pods on other machines are reached by their names, from masters and from the worker', async () => {
  await deployProbe()

  await servicesWork()
})

test('what is written here is still there at the end of all these tests', async () => {
  const target = targetOf(clusterName)
  const path = '/api/v1/namespaces/default/configmaps'
  const metadata = { name: 'canary' }

  await ensure(target, path, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { sings: 'yes' } })

  expect((await get<{ data: object }>(target, `${path}/canary`)).data).toEqual({ sings: 'yes' })
  expect((await call(target, 'GET', `${path}/no-such-bird`)).status).toBe(404)
})
