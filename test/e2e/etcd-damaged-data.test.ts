import { cpSync, readFileSync, rmSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findCorruption } from '../../src/agent/corruption.ts'
import { type BareEtcd, bareEtcd, seats, snapshotFlag } from './support/bare-etcd.ts'
import { filesOf, newestLog, nonsense, overwrite, walFrames } from './support/etcd-files.ts'
import { defined, eventually } from './support/wait.ts'

/**
 * What a real member says of its data, each file of it damaged in each way: that decides whether it joins again at
 * once. One of three, on loopback; the two others go on.
 */
let etcd: BareEtcd
let good: string
let logs: string

beforeAll(async () => {
  etcd = await bareEtcd()
  good = join(etcd.folder, 'good')
  logs = join(etcd.folder, 'logs')
  for (const seat of seats) etcd.start(seat, 'new', [snapshotFlag])
  await eventually('they have a leader', 20_000, () => etcd.members('a'))
  await etcd.write(500)
  // It has a snapshot that it was sent, and some of its own.
  await etcd.replaceC([snapshotFlag])
  await etcd.write(600)
  // etcd writes its database every 100 ms.
  await sleep(500)
  await etcd.kill('c')
  cpSync(join(etcd.folder, 'c'), good, { recursive: true })
})

afterAll(() => etcd?.remove())

const member = (path: string): string => join(etcd.folder, 'c', 'member', path)
const log = (): string => newestLog(member('.'))
const database = (): string => member('snap/db')
const snapshots = (): string[] => filesOf(member('snap'), '.snap')

/** Where the record stands that is so far along the log; 1 is the last one. */
function record(share: number): number {
  const { offsets } = walFrames(readFileSync(log()))
  expect(offsets.length).toBeGreaterThan(500)
  return defined(offsets[Math.floor((offsets.length - 1) * share)], 'record')
}

/** The first of a record's disk sectors, behind the last record. */
function beginRecord(): void {
  const content = readFileSync(log())
  const { offsets, end } = walFrames(content)
  const long = offsets.findIndex((offset, index) => (offsets[index + 1] ?? 0) - offset > 1_024)
  const start = defined(offsets[long], 'long record')
  overwrite(log(), end, content.subarray(start, start + 100))
}

const pageBytes = 4_096
const zeros = (bytes: number): Buffer => Buffer.alloc(bytes)

const damages: [what: string, damage: () => void][] = [
  ['the log, in the data of a record', () => overwrite(log(), record(0.3) + 200, nonsense())],
  ['the log, at the head of a record', () => overwrite(log(), record(0.3) + 8, nonsense())],
  ['the log, in the head of a record', () => overwrite(log(), record(0.3) + 11, nonsense())],
  ['the log, at the length of a record', () => overwrite(log(), record(0.3), nonsense())],
  ['the log, in its last record', () => overwrite(log(), record(1) + 8, nonsense())],
  ['the log, zeros in a record', () => overwrite(log(), record(0.5) + 60, zeros(900))],
  ['the log, zeros over some records', () => overwrite(log(), record(0.5), zeros(4_096))],
  ['the log, from its start', () => overwrite(log(), 0, nonsense())],
  ['the log, its second record', () => overwrite(log(), record(0.002), nonsense())],
  ['the log, cut', () => truncateSync(log(), record(0.5) + 100)],
  ['the log, empty', () => truncateSync(log(), 0)],
  ['the log, gone', () => rmSync(log())],
  ['all snapshots', () => snapshots().map((file) => overwrite(file, 10, nonsense(200)))],
  ['all snapshots, gone', () => snapshots().map((file) => rmSync(file))],
  ['the database, its first pages', () => overwrite(database(), 0, nonsense(2 * pageBytes))],
  ['the database, all other pages', () => overwrite(database(), 2 * pageBytes, nonsense(300 * pageBytes))],
  ['the database, a few pages', () => overwrite(database(), 20 * pageBytes, nonsense(20 * pageBytes))],
  ['the database, zeros', () => overwrite(database(), 2 * pageBytes, zeros(300 * pageBytes))],
  ['the database, cut', () => truncateSync(database(), 2 * pageBytes)],
  ['the database, empty', () => truncateSync(database(), 0)],
  ['the database, gone', () => rmSync(database())],
]

test.each(damages)('%s: it says that its data is damaged', async (what, damage) => {
  restore()
  damage()

  expect(await findCorruption('main', '/no/stamp', await startC(what))).toBeTypeOf('string')
})

test('what it can mend itself is not called damaged', async () => {
  restore()
  const harmless: [what: string, damage: () => void][] = [
    // What was not whole when the power went.
    ['a record of which only the beginning was written', beginRecord],
    // Not restored any more: it has confirmed more since.
    ['one snapshot of several', () => overwrite(defined(snapshots().at(-1), 'snapshot'), 10, nonsense(200))],
    ['nothing', () => {}],
  ]
  for (const [what, damage] of harmless) {
    await etcd.kill('c')
    damage()
    const output = await startC(what)
    await eventually(`it serves: ${what}`, 10_000, () => etcd.members('c'))
    expect(await findCorruption('main', '/no/stamp', output)).toBeUndefined()
  }
})

function restore(): void {
  rmSync(join(etcd.folder, 'c'), { recursive: true })
  cpSync(good, join(etcd.folder, 'c'), { recursive: true })
}

/** Returns the folder of its pod's logs once it serves or has ended. */
async function startC(what: string): Promise<string> {
  const output = join(logs, what.replaceAll(/\W+/g, '-'))
  const file = join(output, 'kube-system_etcd-main-c_0', 'etcd', '0.log')
  const child = etcd.start('c', 'existing', [snapshotFlag], file)
  await eventually('it serves or ends', 15_000, async () => {
    if (child.exitCode === null && child.signalCode === null) await etcd.members('c')
  })
  return output
}
