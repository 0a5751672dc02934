import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { machineRow } from '../../src/cli/machine-row.ts'
import type { Machine } from '../../src/clouds/cloud.ts'
import type { Problem } from '../../src/errors.ts'
import { createCluster } from '../../src/operations/create.ts'
import { listClusters, listMachines } from '../../src/operations/lists.ts'
import { findMachine } from '../../src/operations/machines.ts'
import type { Operation } from '../../src/operations/operation.ts'
import { openFileStore } from '../../src/store/file.ts'
import { keys } from '../../src/store/keys.ts'
import { declare, type TestOperation, testOperation } from './support.ts'

let setup: TestOperation
let operation: Operation
let folder: string
beforeEach(async () => {
  setup = testOperation()
  folder = join(setup.operation.home.dir, 'store')
  operation = { ...setup.operation, store: openFileStore(folder) }
  for (const name of ['bad', 'good']) await createCluster(operation, declare({ name }))
})
afterEach(() => setup.remove())

const damage = (cluster: string) => writeFileSync(join(folder, keys.clusterSpec(cluster)), 'x')
const garble = (cluster: string) => operation.store.put(keys.clusterSpec(cluster), 'kind: [Cluster\n')
const namesOf = (found: Awaited<ReturnType<typeof listClusters>>) =>
  found.map(({ cluster }) => cluster.metadata.name)

test.each([
  ['that is no record', damage, /cluster\.yaml is damaged/, /from a backup/],
  ['that is no declaration', garble, /bad .*cannot be read/, /`holdfast get cluster bad`/],
])('a file %s leaves its cluster out of the list, with a warning', async (_, spoil, message, remedy) => {
  await spoil('bad')
  const leftOut: Problem[] = []

  const found = await listClusters(operation.store, undefined, (problem) => leftOut.push(problem))

  expect(namesOf(found)).toEqual(['good'])
  expect(leftOut).toEqual([
    {
      severity: 'warning',
      path: 'bad',
      message: expect.stringMatching(message),
      remedy: expect.stringMatching(remedy),
    },
  ])
})

test('where no cluster can be read, or the one that is named cannot, it is an error', async () => {
  damage('bad')
  const leftOut: Problem[] = []
  const list = (name?: string) => listClusters(operation.store, name, (problem) => leftOut.push(problem))

  await expect(list('bad')).rejects.toMatchObject({ code: 'store-corrupt' })
  damage('good')
  await expect(list()).rejects.toMatchObject({ code: 'store-corrupt' })
  expect(leftOut).toEqual([])
})

test('a damaged cluster hides no machine of another one', async () => {
  damage('bad')
  setup.cloud.inventory.machines = [{ id: 'master-a-1' } as Machine]

  expect(await findMachine(operation, 'master-a-1')).toMatchObject({
    cluster: 'good',
    machine: { id: 'master-a-1' },
  })
})

test('a machine that is found nowhere may be the damaged cluster’s', async () => {
  damage('bad')

  await expect(findMachine(operation, 'master-a-1')).rejects.toMatchObject({ code: 'store-corrupt' })
  await expect(findMachine(operation, 'master-a-1', 'good')).rejects.toMatchObject({
    code: 'machine-not-found',
  })
})

test('machines are listed with what they wait for, where they have said so', async () => {
  setup.cloud.inventory.machines = ['master-a-1', 'master-b-1'].map((id) => ({ id }) as Machine)
  const at = '2030-01-01T12:00:00.000Z'
  const waiting = { 'etcd main': 'wait: the disk is empty' }
  await operation.store.put('good/machines/master-b-1.json', JSON.stringify({ at, waiting }))

  const listed = await listMachines(operation, 'good')

  expect(listed).toEqual([
    { id: 'master-a-1' },
    { id: 'master-b-1', heartbeat: { machine: 'master-b-1', at, waiting } },
  ])
  const cells = listed.map((machine) => machineRow(machine, Date.parse(at) + 4_000).at(-1))
  expect(cells).toEqual(['-', 'etcd main: wait: the disk is empty (4 s ago)'])
})
