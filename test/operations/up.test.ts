import { writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { HoldfastError, InvalidInputError } from '../../src/errors.ts'
import { createCluster } from '../../src/operations/create.ts'
import { readDeclared } from '../../src/operations/declared.ts'
import type { Operation } from '../../src/operations/operation.ts'
import { replaceDeclared } from '../../src/operations/replace.ts'
import { up, type Wanted } from '../../src/operations/up.ts'
import type { ClusterFlags } from '../../src/spec/flags.ts'
import { repeatUp } from '../../src/spec/repeat-up.ts'
import type { Declaration } from '../../src/spec/types.ts'
import { writeCluster } from '../../src/spec/write.ts'
import { StoreUnavailableError } from '../../src/store/store.ts'
import { declare, givePki, type TestOperation, testOperation } from './support.ts'

let setup: TestOperation
beforeEach(async () => {
  setup = testOperation()
  await givePki(setup.operation)
})
afterEach(() => setup.remove())

/** As the command line does it. */
const wanted =
  (flags: ClusterFlags): Wanted =>
  async (existing) => {
    if (!existing) return declare(flags)
    const { declaration, errors } = repeatUp(existing, { name: 'try', ...flags })
    if (!declaration) throw new InvalidInputError('different', errors)
    return declaration
  }

/** An `up` that is held up while it prepares this machine. */
function slowUp(flags: ClusterFlags) {
  let goOn = () => {}
  let isPreparing = () => {}
  const gate = new Promise<void>((resolve) => {
    goOn = resolve
  })
  const preparing = new Promise<void>((resolve) => {
    isPreparing = resolve
  })
  const another = setup.another()
  const operation: Operation = {
    ...another,
    async assets(version) {
      isPreparing()
      await gate
      return another.assets(version)
    },
  }
  const ended = up(operation, 'try', wanted(flags), { timeoutMs: 1 }).catch((error: unknown) => error)
  return { preparing, goOn, ended }
}

/** An operation that notes the versions whose assets it was asked for. */
function asking(inner: Operation) {
  const asked: string[] = []
  const assets: Operation['assets'] = (version) => {
    asked.push(version)
    return inner.assets(version)
  }
  return { operation: { ...inner, assets }, asked }
}

const declared = async () => (await readDeclared(setup.operation.store, 'try')).declaration

describe('what is declared while this machine is being prepared', () => {
  test('by another up with other flags is compared, not overwritten', async () => {
    const first = slowUp({ masters: 1 })
    const second = slowUp({ masters: 3 })
    await Promise.all([first.preparing, second.preparing])

    first.goOn()
    expect(await first.ended).toMatchObject({ code: 'cluster-not-ready' })
    const before = await readDeclared(setup.operation.store, 'try')
    second.goOn()

    const refused = await second.ended
    expect(refused).toMatchObject({ code: 'invalid-input' })
    expect((refused as InvalidInputError).problems.map(({ path }) => path)).toContain('--masters')
    expect(await readDeclared(setup.operation.store, 'try')).toEqual(before)
  })

  test('by an edit is kept', async () => {
    await createCluster(setup.operation, declare())
    const slow = slowUp({ workers: 2 })
    await slow.preparing

    const text = writeCluster((await declared()).cluster).replace('10.244.0.0/16', '10.199.0.0/16')
    await replaceDeclared(setup.operation, { text, file: 'c.yaml', cluster: undefined })
    slow.goOn()
    await slow.ended

    const { cluster, groups } = await declared()
    expect(cluster.spec.networking.podCidr).toBe('10.199.0.0/16')
    expect(groups.find(({ metadata }) => metadata.name === 'nodes')?.spec.size).toBe(2)
  })
})

test('this machine is checked for the cluster that is wanted, before anything is prepared', async () => {
  let checked: Declaration | undefined
  setup.cloud.check = async (declaration) => {
    checked = declaration
    return [{ severity: 'error', path: 'host.memory', message: 'too little' }]
  }

  const running = up(setup.operation, 'try', wanted({ masters: 1, workers: 7 }), { timeoutMs: 0 })

  await expect(running).rejects.toMatchObject({ code: 'invalid-input', problems: [{ path: 'host.memory' }] })
  expect(checked?.groups.map(({ spec }) => spec.size)).toEqual([1, 7])
  expect(await setup.operation.store.list('try/')).not.toContain('try/cluster.yaml')
})

test('a kubeconfig that could not be changed in the end is refused before anything is prepared', async () => {
  const [kubeconfig = ''] = setup.operation.kubeconfig.files
  writeFileSync(kubeconfig, 'clusters: [')
  const { operation, asked } = asking(setup.operation)

  const running = up(operation, 'try', wanted({}), { timeoutMs: 0 })

  await expect(running).rejects.toMatchObject({ code: 'kubeconfig-broken', exitCode: 2 })
  expect(asked).toEqual([])
  expect(await setup.operation.store.list('try/')).not.toContain('try/cluster.yaml')
})

test('a store that cannot be written is refused before anything is prepared', async () => {
  const { operation, asked } = asking(setup.operation)
  const refusal = new StoreUnavailableError('file:///x', 'it is on a read-only file system')
  const store = { ...operation.store, put: () => Promise.reject(refusal) }

  const running = up({ ...operation, store }, 'try', wanted({}), { timeoutMs: 0 })

  await expect(running).rejects.toBe(refusal)
  expect(asked).toEqual([])
})

describe('an up that fails', () => {
  const bringUp = (changes: Partial<Operation> = {}) =>
    up({ ...setup.operation, ...changes }, 'try', wanted({}), { timeoutMs: 0 }).catch((error) => error)

  test('without waiting names every check that does not pass', async () => {
    const error = await bringUp()

    expect(error).toMatchObject({ code: 'cluster-not-ready', exitCode: 3 })
    expect(error.message).toMatch(/machines.*: .*\n.*etcd/i)
    expect(error.remedy).toMatch(/^Everything was kept\. Logs: .*cloud\.log\. .*delete cluster try --yes/)
  })

  test('while this machine is prepared says that nothing is declared yet', async () => {
    const assets = () =>
      Promise.reject(new HoldfastError('asset-command-failed', 'go build failed', { remedy: 'Install Go.' }))

    const error = await bringUp({ assets })

    expect(error).toMatchObject({ code: 'asset-command-failed', message: 'go build failed', exitCode: 1 })
    expect(error.remedy).toMatch(/^Install Go\. Nothing is declared yet.*goes on from here/)
  })

  test('on the cloud says where the logs are', async () => {
    setup.cloud.before = () => {
      throw new HoldfastError('machine-not-started', 'it said no', { exitCode: 3 })
    }

    const error = await bringUp()

    expect(error).toMatchObject({ code: 'machine-not-started', message: 'it said no', exitCode: 3 })
    expect(error.remedy).toMatch(/^Everything was kept\. Logs: /)
  })

  test('unexpectedly says so too', async () => {
    setup.cloud.before = () => {
      throw new TypeError('undefined is no function')
    }

    const error = await bringUp()

    expect(error).toMatchObject({ code: 'unexpected', exitCode: 1 })
    expect(error.remedy).toMatch(/HOLDFAST_DEBUG=1 .*Everything was kept/)
  })

  test.each([
    ['an interruption', new HoldfastError('interrupted', 'as asked', { exitCode: 130, remedy: 'Go on.' })],
    ['bad input', new InvalidInputError('no', [])],
  ])('by %s is told as it is', async (_, thrown) => {
    expect(await bringUp({ assets: () => Promise.reject(thrown) })).toBe(thrown)
  })
})
