import {
  closeSync,
  cpSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findCorruption } from '../../src/agent/corruption.ts'
import { type BareEtcd, bareEtcd, snapshotFlag } from './support/bare-etcd.ts'
import { defined, eventually } from './support/wait.ts'
import { walFrames } from './support/wal-frames.ts'

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
  for (const seat of ['a', 'b', 'c'] as const) etcd.start(seat, 'new', [snapshotFlag])
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
const named = (folder: string, end: string): string[] =>
  readdirSync(member(folder))
    .filter((name) => name.endsWith(end))
    .sort()
    .map((name) => member(join(folder, name)))
const log = (): string => defined(named('wal', '.wal').at(-1), 'log')
const database = (): string => member('snap/db')
const snapshots = (): string[] => named('snap', '.snap')

/** Where the record stands that is so far along the log; 1 is the last one. */
function record(share: number): number {
  const { offsets } = walFrames(readFileSync(log()))
  expect(offsets.length).toBeGreaterThan(500)
  return defined(offsets[Math.floor((offsets.length - 1) * share)], 'record')
}

function overwrite(file: string, offset: number, bytes = 4_096, fill: string | number = 'damage'): void {
  const open = openSync(file, 'r+')
  writeSync(open, Buffer.alloc(bytes, fill), 0, bytes, offset)
  closeSync(open)
}

/** The first of a record's disk sectors, behind the last record. */
function beginRecord(): void {
  const content = readFileSync(log())
  const { offsets, end } = walFrames(content)
  const long = offsets.findIndex((offset, index) => (offsets[index + 1] ?? 0) - offset > 1_024)
  const open = openSync(log(), 'r+')
  writeSync(open, content, defined(offsets[long], 'long record'), 100, end)
  closeSync(open)
}

const pageBytes = 4_096

const damages: [what: string, damage: () => void][] = [
  ['the log, in the data of a record', () => overwrite(log(), record(0.3) + 200)],
  ['the log, at the head of a record', () => overwrite(log(), record(0.3) + 8)],
  ['the log, in the head of a record', () => overwrite(log(), record(0.3) + 11)],
  ['the log, at the length of a record', () => overwrite(log(), record(0.3))],
  ['the log, in its last record', () => overwrite(log(), record(1) + 8)],
  ['the log, zeros in a record', () => overwrite(log(), record(0.5) + 60, 900, 0)],
  ['the log, zeros over some records', () => overwrite(log(), record(0.5), 4_096, 0)],
  ['the log, from its start', () => overwrite(log(), 0)],
  ['the log, its second record', () => overwrite(log(), record(0.002))],
  ['the log, cut', () => truncateSync(log(), record(0.5) + 100)],
  ['the log, empty', () => truncateSync(log(), 0)],
  ['the log, gone', () => rmSync(log())],
  ['all snapshots', () => snapshots().map((file) => overwrite(file, 10, 200))],
  ['all snapshots, gone', () => snapshots().map((file) => rmSync(file))],
  ['the database, its first pages', () => overwrite(database(), 0, 2 * pageBytes)],
  ['the database, all other pages', () => overwrite(database(), 2 * pageBytes, 300 * pageBytes)],
  ['the database, a few pages', () => overwrite(database(), 20 * pageBytes, 20 * pageBytes)],
  ['the database, zeros', () => overwrite(database(), 2 * pageBytes, 300 * pageBytes, 0)],
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
    ['one snapshot of several', () => overwrite(defined(snapshots().at(-1), 'snapshot'), 10, 200)],
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
