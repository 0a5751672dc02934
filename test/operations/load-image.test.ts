import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Machine } from '../../src/clouds/cloud.ts'
import { identityOf } from '../../src/clouds/local/process.ts'
import { localPaths } from '../../src/clouds/local/records.ts'
import type { Host } from '../../src/hosts/host.ts'
import { createCluster } from '../../src/operations/create.ts'
import { loadImage } from '../../src/operations/load-image.ts'
import { declare, type TestOperation, testOperation } from './support.ts'

let setup: TestOperation
let archive: string
/** What each machine was asked to import. */
let imported: string[]
let importing: (machine: string) => string

beforeEach(async () => {
  setup = testOperation()
  await createCluster(setup.operation, declare())
  archive = join(setup.operation.home.dir, 'app.tar')
  mkdirSync(dirname(archive), { recursive: true })
  writeFileSync(archive, 'an archive')
  imported = []
  importing = () => 'docker.io/library/app:1 saved\n'
  setup.cloud.host = async (name) => host(name)
})

afterEach(() => setup.remove())

const host = (name: string): Host => ({
  name,
  run: async ([program]) => {
    if (program !== 'ctr') return { stdout: '', stderr: '' }
    const stdout = importing(name)
    imported.push(name)
    return { stdout, stderr: '' }
  },
  readFile: async () => '',
  writeFile: async () => {},
  upload: async (path) => expect(existsSync(path)).toBe(true),
})

function machines(...ids: string[]): void {
  setup.cloud.inventory.machines = ids.map(
    (id): Machine => ({
      id,
      group: 'nodes',
      role: 'node',
      zone: 'a',
      address: '10.9.0.2',
      state: 'running',
      bootedAt: '2030-01-01T12:00:00Z',
    }),
  )
}

const folder = (): string => join(localPaths(setup.operation.home).cluster('try'), 'images')
const kept = (): string[] => (existsSync(folder()) ? readdirSync(folder()).sort() : [])

test('into every machine, and kept for later ones; again changes nothing', async () => {
  machines('one', 'two')

  const result = await loadImage(setup.operation, 'try', archive)
  const before = kept()
  await loadImage(setup.operation, 'try', archive)

  expect(result).toEqual({ images: ['docker.io/library/app:1'], machines: 2 })
  expect(before).toEqual([expect.stringMatching(/^[0-9a-f]{16}\.tar$/)])
  expect(kept()).toEqual(before)
})

test('a machine that began meanwhile gets it too', async () => {
  machines('one')
  importing = () => {
    machines('one', 'two')
    return ''
  }

  expect((await loadImage(setup.operation, 'try', archive)).machines).toBe(2)
  expect(imported).toEqual(['one', 'two'])
})

test('what no machine can import is not kept: each later machine would try it without end', async () => {
  machines('one')
  importing = () => {
    throw new Error('unrecognized image format')
  }

  await expect(loadImage(setup.operation, 'try', archive)).rejects.toMatchObject({
    code: 'image-not-imported',
  })
  expect(kept()).toEqual([])
})

test('copies that a killed load left are removed, those of one that runs stay', async () => {
  machines('one')
  const own = await identityOf(process.pid)
  const draftOf = (pid?: number, startTime?: string, boot?: string) => `0.tar.${pid}.${startTime}.${boot}.new`
  const ofOneThatRuns = draftOf(own?.pid, own?.startTime, own?.boot)
  const left = [
    draftOf(own?.pid, '1', own?.boot),
    draftOf(own?.pid, own?.startTime, 'another-boot'),
    '0.tar.1.new',
  ]
  mkdirSync(folder(), { recursive: true })
  for (const name of [ofOneThatRuns, ...left, '0.tar']) writeFileSync(join(folder(), name), 'an archive')

  await loadImage(setup.operation, 'try', archive)

  expect(kept()).toEqual(['0.tar', ofOneThatRuns, expect.stringMatching(/^[0-9a-f]{16}\.tar$/)])
})

test('what one of two can import is kept, and the failure is told', async () => {
  machines('one', 'two')
  importing = (machine) => {
    if (machine === 'two') throw new Error('no space left on device')
    return ''
  }

  await expect(loadImage(setup.operation, 'try', archive)).rejects.toThrow(/two could not import/)
  expect(kept()).toHaveLength(1)
})

test('of a cluster that is only declared, or without a machine that runs, nothing is left', async () => {
  await expect(loadImage(setup.operation, 'try', archive)).rejects.toMatchObject({ code: 'cluster-not-made' })
  expect(existsSync(localPaths(setup.operation.home).cluster('try'))).toBe(false)

  machines('one')
  for (const machine of setup.cloud.inventory.machines) machine.state = 'stopped'
  await expect(loadImage(setup.operation, 'try', archive)).rejects.toMatchObject({ code: 'no-machine-runs' })
  expect(kept()).toEqual([])
})
