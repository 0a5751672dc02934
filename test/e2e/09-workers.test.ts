import { beforeAll, expect, test } from 'vitest'
import { keys } from '../../src/store/keys.ts'
import { openStore } from '../../src/store/open.ts'
import { call, get, isReady, type KubeList, nodes, remove, type Target, targetOf } from './support/client.ts'
import { nothingStale } from './support/expectations.ts'
import { mustRun } from './support/holdfast.ts'
import { inside, machinesOf } from './support/machines.ts'
import { clusterName, home } from './support/place.ts'
import { mustBeWell, sharedCluster } from './support/state.ts'
import { defined } from './support/wait.ts'

let target: Target

beforeAll(async () => {
  await sharedCluster()
  target = targetOf(clusterName)
})

interface Join {
  token: string
  expires: string
}

const secrets = '/api/v1/namespaces/kube-system/secrets'

test('a second worker joins by itself although the join token has expired, and goes again', async () => {
  const store = await openStore(home().storeUrl)
  const read = async () => {
    const stored = defined(await store.get(keys.workerJoin(clusterName)), 'join record')
    return JSON.parse(stored.value) as Join
  }
  const [first] = await machinesOf('node')
  const before = await read()
  const secret = `${secrets}/bootstrap-token-${before.token.split('.')[0]}`
  expect((await call(target, 'GET', secret)).status).toBe(200)
  const expired = { ...before, expires: new Date(Date.now() - 60_000).toISOString() }
  await remove(target, secret)
  await store.put(keys.workerJoin(clusterName), JSON.stringify(expired))

  await mustRun(['up', clusterName, '--workers', '2'])

  const workers = await machinesOf('node')
  expect(workers).toHaveLength(2)
  expect(workers.map(({ id }) => id)).toContain(first?.id)
  const now = await read()
  expect(now.token).not.toBe(before.token)
  expect(Date.parse(now.expires)).toBeGreaterThan(Date.now() + 60_000)
  const ready = (await nodes(target)).filter(isReady).map(({ metadata }) => metadata.name)
  expect(ready).toEqual(expect.arrayContaining(workers.map(({ id }) => id)))
  const second = defined(
    workers.find(({ id }) => id !== first?.id),
    'second worker',
  )
  expect(await inside(second, 'cat /etc/kubernetes/kubelet.conf')).not.toContain(now.token)
  // Only one token is left, and it is the new one.
  const tokens = await get<KubeList<{ metadata: { name: string } }>>(
    target,
    `${secrets}?fieldSelector=${encodeURIComponent('type=bootstrap.kubernetes.io/token')}`,
  )
  expect(tokens.items.map(({ metadata }) => metadata.name)).toEqual([
    `bootstrap-token-${now.token.split('.')[0]}`,
  ])

  await mustRun(['up', clusterName, '--workers', '1'])

  expect((await machinesOf('node')).map(({ id }) => id)).toEqual([first?.id])
  await nothingStale(target)
  await mustBeWell()
})
