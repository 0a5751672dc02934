import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { HoldfastError } from '../../src/errors.ts'
import { applyCluster } from '../../src/operations/apply.ts'
import { createCluster } from '../../src/operations/create.ts'
import { readDeclared } from '../../src/operations/declared.ts'
import { deleteCluster, planDeletion } from '../../src/operations/delete.ts'
import { writeDeclared } from '../../src/operations/replace.ts'
import { keys } from '../../src/store/keys.ts'
import { acquireLock, type LockOutcome } from '../../src/store/lock.ts'
import { declare, givePki, type TestOperation, testOperation } from './support.ts'

let setup: TestOperation
afterEach(() => setup.remove())

/** As `kill -9` would leave it: nothing after the step is done, not even the journal's end. */
const killedAt = (index: number) => {
  setup.cloud.before = (_, done) => {
    if (done >= index) throw new Error('killed')
  }
}
beforeEach(async () => {
  setup = testOperation()
  await givePki(setup.operation)
  await createCluster(setup.operation, declare())
  await applyCluster(setup.operation, 'try')
})

test('takes everything away and leaves nothing in the store', async () => {
  await deleteCluster(setup.operation, 'try')

  expect(setup.cloud.inventory).toEqual({ groups: [], machines: [], volumes: [] })
  expect(await setup.operation.store.list('')).toEqual([])
})

test('leaves the lock alone that another operation has by then', async () => {
  const { store } = setup.operation
  const key = keys.lock('try', 'operation')
  const remove = store.delete
  let outcome: LockOutcome | undefined
  store.delete = async (deleted, condition) => {
    if (deleted === key) outcome = await acquireLock(store, key, { holder: 'another', ttlMs: 60_000 })
    return remove(deleted, condition)
  }

  await deleteCluster(setup.operation, 'try')

  expect(outcome?.acquired && !(await outcome.lock.stillHeld())).toBe(false)
})

test.each([
  ['in the middle', 'delete-group', 'terminate-machine|delete-volume|delete-network'],
  ['at its end', 'delete-network', 'nothing'],
])('whose lock was taken %s does nothing more', async (_, last, never) => {
  const { store } = setup.operation
  const key = keys.lock('try', 'operation')
  const taken = JSON.stringify({
    holder: 'another',
    nonce: 'another',
    epoch: 9,
    acquiredAtMs: Date.now(),
    expiresAtMs: Date.now() + 60_000,
  })
  setup.cloud.before = async (step) => {
    if (step.action === last) await store.put(key, taken)
  }

  await expect(deleteCluster(setup.operation, 'try')).rejects.toMatchObject({ code: 'store-conflict' })

  expect(setup.cloud.done.map(({ action }) => action).join(' ')).not.toMatch(new RegExp(never))
  expect((await store.get(key))?.value).toBe(taken)
  expect(await store.list('try/')).toContain('try/cluster.yaml')
})

test.each([0, 1, 4, 5, 9, 11])('killed after %i steps and run again it completes', async (index) => {
  const already = setup.cloud.done.length
  killedAt(already + index)
  await expect(deleteCluster(setup.operation, 'try')).rejects.toThrow('killed')
  setup.cloud.before = () => {}

  await deleteCluster(setup.another(), 'try')

  expect(setup.cloud.inventory).toEqual({ groups: [], machines: [], volumes: [] })
  expect(await setup.operation.store.list('')).toEqual([])
})

test('looks at the kubeconfig before anything goes', async () => {
  const [kubeconfig = ''] = setup.operation.kubeconfig.files
  writeFileSync(kubeconfig, 'contexts: [holdfast-try')
  const before = structuredClone(setup.cloud.inventory)

  await expect(deleteCluster(setup.operation, 'try')).rejects.toMatchObject({
    code: 'kubeconfig-broken',
    exitCode: 2,
  })

  expect(setup.cloud.inventory).toEqual(before)
  expect(await setup.operation.store.list('try/')).toContain('try/cluster.yaml')
})

test('whose kubeconfig breaks when the machines are gone has failed, and is finished by the same command', async () => {
  const [kubeconfig = ''] = setup.operation.kubeconfig.files
  setup.cloud.before = ({ action }) => {
    if (action === 'delete-network') writeFileSync(kubeconfig, 'contexts: [holdfast-try')
  }

  await expect(deleteCluster(setup.operation, 'try')).rejects.toMatchObject({
    code: 'kubeconfig-broken',
    exitCode: 1,
  })
  rmSync(kubeconfig)
  await deleteCluster(setup.operation, 'try')

  expect(await setup.operation.store.list('')).toEqual([])
})

test.each(['contexts: [', 'contexts: [holdfast-try2'])(
  'is not held up by a kubeconfig that has nothing of it: %s',
  async (text) => {
    const [kubeconfig = ''] = setup.operation.kubeconfig.files
    writeFileSync(kubeconfig, text)

    await deleteCluster(setup.operation, 'try')

    expect(await setup.operation.store.list('')).toEqual([])
    expect(readFileSync(kubeconfig, 'utf8')).toBe(text)
  },
)

test('finds what is left also when the declaration is gone', async () => {
  await setup.operation.store.delete(keys.clusterSpec('try'))

  expect(await planDeletion(setup.operation, 'try')).not.toEqual([])
  await deleteCluster(setup.operation, 'try')

  expect(setup.cloud.inventory.groups).toEqual([])
})

test('finds what was written before anything was declared, as by an up that was killed', async () => {
  await deleteCluster(setup.operation, 'try')
  await acquireLock(setup.operation.store, keys.lock('try', 'up'), { holder: 'killed', ttlMs: 60_000 })

  expect(await planDeletion(setup.operation, 'try')).toEqual([])
  await deleteCluster(setup.operation, 'try')

  expect(await setup.operation.store.list('')).toEqual([])
  await expect(deleteCluster(setup.operation, 'try')).rejects.toMatchObject({ code: 'cluster-not-found' })
})

test('is possible also when the declaration can no longer be read', async () => {
  await setup.operation.store.put(keys.clusterSpec('try'), 'nonsense: [')

  await deleteCluster(setup.operation, 'try')

  expect(await setup.operation.store.list('')).toEqual([])
})

describe('a deletion that was killed', () => {
  const killedBefore = async (action: string): Promise<void> => {
    setup.cloud.before = (step) => {
      if (step.action === action) throw new Error('killed')
    }
    await expect(deleteCluster(setup.operation, 'try')).rejects.toThrow('killed')
    setup.cloud.before = () => {}
  }

  test('before any data went lets the cluster be made whole again', async () => {
    await killedBefore('delete-group')

    await applyCluster(setup.another(), 'try')

    expect(setup.cloud.inventory).toHaveProperty('endpoint')
    expect(await setup.operation.store.get(keys.deletion('try'))).toBe(undefined)
  })

  test('among the data lets nothing be made but its end', async () => {
    await killedBefore('delete-volume')
    const unfinished = {
      code: 'deletion-unfinished',
      exitCode: 2,
      remedy: expect.stringContaining('holdfast delete cluster try --yes'),
    }

    const declared = await readDeclared(setup.operation.store, 'try')
    await expect(applyCluster(setup.another(), 'try')).rejects.toMatchObject(unfinished)
    await expect(writeDeclared(setup.another(), declared, declare({ workers: 2 }))).rejects.toMatchObject(
      unfinished,
    )
    await setup.operation.store.delete(keys.clusterSpec('try'))
    await expect(createCluster(setup.another(), declare())).rejects.toMatchObject(unfinished)

    await deleteCluster(setup.another(), 'try')
    expect(await setup.operation.store.list('')).toEqual([])
    await createCluster(setup.another(), declare())
  })

  test('between its last records is finished, although nothing else is left', async () => {
    await deleteCluster(setup.operation, 'try')
    await setup.operation.store.put(keys.deletion('try'), '{}')

    await deleteCluster(setup.another(), 'try')

    expect(await setup.operation.store.list('')).toEqual([])
  })
})

test('of a name whose machines are another store’s only the declaration goes', async () => {
  const [kubeconfig = ''] = setup.operation.kubeconfig.files
  writeFileSync(kubeconfig, 'contexts: [{ name: holdfast-try, context: {} }]\n')
  const before = structuredClone(setup.cloud.inventory)
  setup.cloud.observe = () =>
    Promise.reject(new HoldfastError('other-store', 'The machines of try belong to file:///a'))

  expect(await planDeletion(setup.operation, 'try')).toEqual([])
  await deleteCluster(setup.operation, 'try')

  expect(await setup.operation.store.list('')).toEqual([])
  expect(setup.cloud.inventory).toEqual(before)
  expect(readFileSync(kubeconfig, 'utf8')).toContain('holdfast-try')
  expect(setup.notes().join()).toContain('belong to file:///a: they stay')
})
