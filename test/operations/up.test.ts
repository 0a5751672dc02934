import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { HoldfastError, InvalidInputError } from '../../src/errors.ts'
import { createCluster } from '../../src/operations/create.ts'
import { readDeclared } from '../../src/operations/declared.ts'
import { deleteCluster } from '../../src/operations/delete.ts'
import type { Operation } from '../../src/operations/operation.ts'
import { replaceDeclared } from '../../src/operations/replace.ts'
import { up, type Wanted } from '../../src/operations/up.ts'
import type { ClusterFlags } from '../../src/spec/flags.ts'
import { repeatUp } from '../../src/spec/repeat-up.ts'
import type { Declaration } from '../../src/spec/types.ts'
import { writeCluster } from '../../src/spec/write.ts'
import { keys } from '../../src/store/keys.ts'
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
function slowUp(flags: ClusterFlags, timeoutMs = 1) {
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
  const ended = up(operation, 'try', wanted(flags), { timeoutMs }).catch((error: unknown) => error)
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

/** Until an `up` has carried out its plan. */
const isWaitingForChecks = () =>
  vi.waitUntil(() => setup.events.some((event) => event.type === 'step-started' && event.id === 'checks'), {
    timeout: 10_000,
  })

const waiting = `Waiting for another operation on try to end: process ${process.pid}`

describe('while an up waits until its cluster works,', () => {
  const begun = async (timeoutMs: number) => {
    const first = slowUp({}, timeoutMs)
    first.goOn()
    await isWaitingForChecks()
    return first
  }

  test('another one waits for it and names its process', async () => {
    const first = await begun(2_000)
    let over = false
    void first.ended.then(() => {
      over = true
    })

    const second = slowUp({})
    const begins = await second.preparing.then(() => (over ? 'after the first' : 'beside the first'))
    second.goOn()
    await second.ended

    expect(begins).toBe('after the first')
    expect(setup.notes()).toContain(waiting)
    expect(await setup.operation.store.list('try/locks/')).toEqual(['try/locks/operation.json'])
  })

  test('a deletion does not wait, and ends it', async () => {
    const first = await begun(60_000)

    await deleteCluster(setup.another(), 'try')

    expect(await first.ended).toMatchObject({
      code: 'cluster-deleted',
      exitCode: 4,
      remedy: expect.stringContaining('holdfast up try'),
    })
    expect(setup.notes()).not.toContain(waiting)
    expect(await setup.operation.store.list('')).toEqual([])
  })

  test('a deletion that has come to the data ends it, and a store that is away does not', async () => {
    const first = await begun(60_000)
    const { store } = setup.operation
    const { get } = store
    store.get = () => Promise.reject(new StoreUnavailableError('memory:', 'away'))
    await sleep(1_200)
    store.get = get

    await store.put(keys.deletion('try'), '{}')

    expect(await first.ended).toMatchObject({ code: 'cluster-deleted' })
  })
})

describe('what is declared while this machine is being prepared', () => {
  test('by another up with other flags is compared, not overwritten', async () => {
    const first = slowUp({ masters: 1 })
    await first.preparing
    const second = slowUp({ masters: 3 })
    await vi.waitUntil(() => setup.notes().includes(waiting))

    first.goOn()
    expect(await first.ended).toMatchObject({ code: 'cluster-not-ready' })
    const before = await readDeclared(setup.operation.store, 'try')
    await second.preparing
    second.goOn()

    const refused = await second.ended
    expect(refused).toMatchObject({ code: 'invalid-input' })
    expect((refused as InvalidInputError).problems.map(({ path }) => path)).toContain('--masters')
    expect(await readDeclared(setup.operation.store, 'try')).toEqual(before)
  })

  test.each([
    ['is not made again', () => createCluster(setup.operation, declare())],
    ['before anything was declared is not made behind the deletion’s back', async () => {}],
  ])('and deleted %s', async (_, before) => {
    await before()
    const slow = slowUp({})
    await slow.preparing

    await deleteCluster(setup.another(), 'try')
    slow.goOn()

    expect(await slow.ended).toMatchObject({ code: 'cluster-deleted' })
    expect(await setup.operation.store.list('')).toEqual([])
  })

  test('and deleted while another up waits is not made again by that one', async () => {
    const first = slowUp({}, 5_000)
    await first.preparing
    const second = slowUp({})
    second.goOn()
    await vi.waitUntil(() => setup.notes().includes(waiting))
    first.goOn()
    await isWaitingForChecks()
    // Longer than between two looks of the one that waits: no real cluster is made and deleted within that.
    await sleep(500)

    await deleteCluster(setup.another(), 'try')

    expect(await first.ended).toMatchObject({ code: 'cluster-deleted' })
    expect(await second.ended).toMatchObject({ code: 'cluster-deleted' })
    expect(await setup.operation.store.list('')).toEqual([])
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
    expect(await setup.operation.store.list('try/locks/')).toEqual([])
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
