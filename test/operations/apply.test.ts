import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { applyCluster } from '../../src/operations/apply.ts'
import { createCluster } from '../../src/operations/create.ts'
import { readDeclared } from '../../src/operations/declared.ts'
import type { JournalRecord } from '../../src/operations/journal.ts'
import { planCluster } from '../../src/operations/plan.ts'
import { replaceDeclared, writeDeclared } from '../../src/operations/replace.ts'
import { writeGroup } from '../../src/spec/write.ts'
import { keys } from '../../src/store/keys.ts'
import { declare, givePki, type TestOperation, testOperation } from './support.ts'

let setup: TestOperation
beforeEach(async () => {
  setup = testOperation()
  await givePki(setup.operation)
})
afterEach(() => setup.remove())

const journals = async (): Promise<JournalRecord[]> => {
  const { store } = setup.operation
  const found = await Promise.all((await store.list(keys.operations('try'))).map((key) => store.get(key)))
  return found.flatMap((stored) => (stored ? [JSON.parse(stored.value) as JournalRecord] : []))
}

/** As `kill -9` would leave it: nothing after the step is done, not even the journal's end. */
const killedAt = (index: number) => {
  setup.cloud.before = (_, done) => {
    if (done >= index) throw new Error('killed')
  }
}

describe('applying a declaration', () => {
  test('carries out the very array that the plan shows, and journals it', async () => {
    await createCluster(setup.operation, declare())
    const { steps } = await planCluster(setup.operation, 'try')

    await applyCluster(setup.operation, 'try')

    expect(steps).toHaveLength(12)
    expect(new Set(setup.cloud.done.map((step) => JSON.stringify(step)))).toEqual(
      new Set(steps.map((step) => JSON.stringify(step))),
    )
    const update = (await journals()).find((journal) => journal.kind === 'update')
    expect(update).toMatchObject({ state: 'done', pid: process.pid })
    expect(update?.steps.map((entry) => entry.step)).toEqual(steps)
    expect(update?.steps.every((entry) => entry.state === 'done')).toBe(true)
  })

  test('done once more it changes nothing and journals nothing', async () => {
    await createCluster(setup.operation, declare())
    await applyCluster(setup.operation, 'try')
    const before = [setup.cloud.done.length, (await journals()).length]

    await applyCluster(setup.operation, 'try')

    expect([setup.cloud.done.length, (await journals()).length]).toEqual(before)
  })

  test.each([0, 1, 2, 5, 8, 9, 11])('killed after %i steps and run again it completes', async (index) => {
    await createCluster(setup.operation, declare())
    killedAt(index)
    await expect(applyCluster(setup.operation, 'try')).rejects.toThrow('killed')
    setup.cloud.before = () => {}

    await applyCluster(setup.another(), 'try')

    expect((await planCluster(setup.operation, 'try')).steps).toEqual([])
    expect(setup.cloud.inventory.groups).toHaveLength(4)
    expect(setup.cloud.inventory.volumes).toHaveLength(6)
  })

  test('a declaration that is changed in between is planned again', async () => {
    await createCluster(setup.operation, declare({ workers: 1 }))
    let changed = false
    setup.cloud.before = async (step) => {
      if (step.action !== 'create-endpoint' || changed) return
      changed = true
      const { declaration } = await readDeclared(setup.operation.store, 'try')
      const nodes = declaration.groups.find((group) => group.metadata.name === 'nodes')
      if (!nodes) throw new Error('no nodes')
      const more = { ...nodes, spec: { ...nodes.spec, size: 3 } }
      await setup.operation.store.put(keys.group('try', 'nodes'), writeGroup(more))
    }

    await applyCluster(setup.operation, 'try')

    expect(setup.notes()).toContain('try was changed in between: planning again')
    expect(setup.cloud.inventory.groups.find((group) => group.name === 'nodes')?.size).toBe(3)
  })

  test('the network is looked after each time, also when there is nothing to change', async () => {
    await createCluster(setup.operation, declare())
    await applyCluster(setup.operation, 'try')

    const again = await applyCluster(setup.operation, 'try')

    expect(again.steps).toEqual([])
    expect(setup.cloud.refreshed).toEqual(['try', 'try'])
  })

  test('asked to stop, it ends after the step in hand and says how to go on', async () => {
    await createCluster(setup.operation, declare())
    setup.cloud.before = (step) => {
      if (step.action === 'create-endpoint') setup.stop.abort()
    }

    const applying = applyCluster(setup.operation, 'try')

    await expect(applying).rejects.toMatchObject({ code: 'interrupted', exitCode: 130 })
    expect(setup.cloud.done.map((step) => step.action)).toEqual(['create-network', 'create-endpoint'])
  })
})

describe('declaring', () => {
  test('a name that is taken is refused', async () => {
    await createCluster(setup.operation, declare())

    await expect(createCluster(setup.another(), declare())).rejects.toMatchObject({ code: 'cluster-exists' })
  })

  test('groups that a killed declaration left are no part of the next one', async () => {
    const five = declare({ masters: 5, zones: 'a,b,c,d,e' })
    for (const group of five.groups) {
      await setup.operation.store.put(keys.group('try', group.metadata.name), writeGroup(group))
    }

    await createCluster(setup.operation, declare({ masters: 1 }))

    const { declaration } = await readDeclared(setup.operation.store, 'try')
    expect(declaration.groups.map((group) => group.metadata.name)).toEqual(['master-a', 'nodes'])
  })

  test('of two that change the same document, the second is refused', async () => {
    await createCluster(setup.operation, declare())
    const declared = await readDeclared(setup.operation.store, 'try')
    await writeDeclared(setup.operation, declared, declare({ workers: 2 }))

    const second = writeDeclared(setup.another(), declared, declare({ workers: 3 }))

    await expect(second).rejects.toMatchObject({ code: 'declaration-conflict', exitCode: 4 })
  })

  test('a file that leaves the ranges out means those that the cluster has', async () => {
    await createCluster(setup.operation, declare({ podCidr: '10.199.0.0/16', serviceCidr: '10.200.0.0/16' }))
    await applyCluster(setup.operation, 'try')
    const text =
      'apiVersion: holdfast.dev/v1\nkind: Cluster\nmetadata:\n  name: try\nspec:\n  cloudLabels: { a: b }\n'

    await replaceDeclared(setup.operation, { text, file: 'c.yaml', cluster: undefined })

    const { spec } = (await readDeclared(setup.operation.store, 'try')).declaration.cluster
    expect(spec.networking).toMatchObject({ podCidr: '10.199.0.0/16', serviceCidr: '10.200.0.0/16' })
    expect(spec.cloudLabels).toEqual({ a: 'b' })
  })

  test('what a running cluster was built on cannot be replaced, and before that it can', async () => {
    await createCluster(setup.operation, declare())
    const { declaration } = await readDeclared(setup.operation.store, 'try')
    const { writeCluster } = await import('../../src/spec/write.ts')
    const text = writeCluster(declaration.cluster).replace('10.244.0.0/16', '10.199.0.0/16')
    await replaceDeclared(setup.operation, { text, file: 'c.yaml', cluster: undefined })
    await applyCluster(setup.operation, 'try')

    const back = { text: writeCluster(declaration.cluster), file: 'c.yaml', cluster: undefined }
    const replacing = replaceDeclared(setup.operation, back)

    await expect(replacing).rejects.toMatchObject({ code: 'invalid-input' })
    const now = await readDeclared(setup.operation.store, 'try')
    expect(now.declaration.cluster.spec.networking.podCidr).toBe('10.199.0.0/16')
  })
})
