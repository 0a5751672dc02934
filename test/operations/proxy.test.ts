import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { applyCluster } from '../../src/operations/apply.ts'
import { createCluster } from '../../src/operations/create.ts'
import { exportKubeconfig } from '../../src/operations/export-kubeconfig.ts'
import { goesToProxy, pastProxy } from '../../src/operations/proxy.ts'
import { declare, givePki, type TestOperation, testOperation } from './support.ts'

const server = 'https://10.213.4.1:6443'
const HTTPS_PROXY = 'http://proxy:3128'

test.each<[Record<string, string>, boolean]>([
  [{}, false],
  [{ HTTP_PROXY: HTTPS_PROXY }, false],
  [{ HTTPS_PROXY }, true],
  [{ https_proxy: HTTPS_PROXY }, true],
  [{ HTTPS_PROXY, NO_PROXY: 'localhost, 10.213.4.1' }, false],
  [{ HTTPS_PROXY, NO_PROXY: '10.213.4.1:6443' }, false],
  [{ HTTPS_PROXY, NO_PROXY: '10.213.4.1:443' }, true],
  [{ HTTPS_PROXY, NO_PROXY: '10.213.4.10,.example.com,*.example.com' }, true],
  [{ HTTPS_PROXY, NO_PROXY: '10.213.0.0/16' }, false],
  [{ HTTPS_PROXY, NO_PROXY: '10.213.9.9/16' }, false],
  [{ HTTPS_PROXY, NO_PROXY: '10.214.0.0/16,::/0,nonsense/8' }, true],
  [{ HTTPS_PROXY, NO_PROXY: '0.0.0.0/0' }, false],
  [{ HTTPS_PROXY, NO_PROXY: '*' }, false],
  [{ HTTPS_PROXY, no_proxy: '10.213.4.1' }, false],
  [{ HTTPS_PROXY, NO_PROXY: 'localhost', no_proxy: '10.213.4.1' }, true],
])('kubectl with %j asks the proxy for the cluster: %s', (env, asks) => {
  expect(goesToProxy(env, server)).toBe(asks)
  expect(goesToProxy({ ...env, ...pastProxy(env, server) }, server)).toBe(false)
})

test('what went past the proxy still does', () => {
  expect(pastProxy({ no_proxy: 'localhost,.example.com' }, server)).toEqual({
    NO_PROXY: 'localhost,.example.com,10.213.4.1',
    no_proxy: 'localhost,.example.com,10.213.4.1',
  })
})

describe('a kubeconfig that is exported behind a proxy', () => {
  let setup: TestOperation
  beforeEach(async () => {
    setup = testOperation()
    await givePki(setup.operation)
    await createCluster(setup.operation, declare())
    await applyCluster(setup.operation, 'try')
  })
  afterEach(() => setup.remove())

  test.each([
    [{ HTTPS_PROXY, NO_PROXY: 'localhost' }, [expect.stringContaining('NO_PROXY=localhost,10.9.0.1 ')]],
    [{ HTTPS_PROXY, NO_PROXY: '10.9.0.0/24' }, []],
    [{}, []],
  ])('comes with what to set, where that is missing: %j', async (env, warnings) => {
    const kubeconfig = { ...setup.operation.kubeconfig, env }

    await exportKubeconfig({ ...setup.operation, kubeconfig }, 'try')

    const said = setup.events.flatMap((event) => (event.type === 'warning' ? [event.message] : []))
    expect(said).toEqual(warnings)
  })
})
