import { mkdir, mkdtemp, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { findCorruption } from '../../src/agent/corruption.ts'

/** As kubelet writes them: one folder a pod, one file a start of its container. */
async function logs(files: Record<string, string[]>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'pods-'))
  for (const [name, lines] of Object.entries(files)) {
    const path = join(folder, name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, lines.map((line) => `2030-01-01T12:00:00.0Z stderr F ${line}\n`).join(''))
  }
  return folder
}

const of = (etcd: string, start = 0): string => `kube-system_etcd-${etcd}-node-1_0a1b2c/etcd/${start}.log`
const zap = (level: string, msg: string, error = ''): string =>
  JSON.stringify({
    level,
    ts: '2030-01-01T12:00:00.000Z',
    caller: 'x.go:1',
    msg,
    ...(error ? { error } : {}),
  })

test.each([
  ['a flipped bit in the WAL', zap('fatal', 'failed to read WAL, cannot be repaired', 'walpb: crc mismatch')],
  ['a WAL that ends in the middle', zap('fatal', 'failed to open WAL', 'wal: slice bounds out of range')],
  ['a database that is none', zap('panic', 'failed to open database', 'invalid database')],
  ['a database’s checksum', zap('fatal', 'failed to open database', 'database checksum error')],
  ['a member that forgot what it acknowledged', zap('panic', 'tocommit(12) is out of range [lastIndex(3)]')],
  ['a record that is none', zap('fatal', 'discovery failed', 'proto: illegal wireType 7')],
  ['a log that does not say whose it is', 'panic: cannot use none as id'],
  ['a page that is another', 'panic: assertion failed: Page expected to be: 5, but self identifies as 0'],
  ['a database that ends too soon', 'fatal error: fault'],
  ['a backend that cannot be recovered', zap('panic', 'failed to recover v3 backend from snapshot')],
  ['Go’s own words', 'panic: freelist: 12 already freed'],
  [
    'a raft configuration without those who joined',
    '{"level":"error","caller":"x.go:1","msg":"Validation on configuration change failed","shouldApplyV3":false,"error":"membership: ID exists"}',
  ],
])('named: %s', async (_, line) => {
  const folder = await logs({ [of('main')]: [zap('info', 'starting etcd'), line, zap('info', 'closing')] })

  expect(await findCorruption('main', '/no/stamp', folder)).toContain(line.slice(0, 40))
  expect(await findCorruption('events', '/no/stamp', folder)).toBeUndefined()
})

test.each([
  ['a healthy start', zap('info', 'established TCP streaming connection')],
  ['a full quota', zap('error', 'etcdserver: mvcc: database space exceeded')],
  ['no quorum', zap('warn', 'failed to reach majority')],
  ['an address in use', zap('fatal', 'discovery failed', 'listen tcp 10.0.0.1:2380: bind: address in use')],
  ['a member that was removed', zap('error', 'the member has been permanently removed from the cluster')],
  ['a warning with such words in it', zap('warn', 'peer said', 'walpb: crc mismatch')],
  ['a peer’s nonsense', zap('error', 'failed to read a message', 'proto: illegal wireType 7')],
  ['too little memory', 'fatal error: runtime: out of memory'],
  ['a full disk', zap('fatal', 'failed to save Raft hard state', 'no space left on device')],
])('no damage: %s', async (_, line) => {
  expect(await findCorruption('main', '/no/stamp', await logs({ [of('main')]: [line] }))).toBeUndefined()
})

test('the newest start counts, by number and not by name', async () => {
  const bad = zap('fatal', 'failed to read WAL, cannot be repaired', 'walpb: crc mismatch')
  const good = zap('info', 'ready to serve client requests')

  const mended = await logs({ [of('main', 9)]: [bad], [of('main', 10)]: [good] })
  const damaged = await logs({ [of('main', 9)]: [good], [of('main', 10)]: [bad] })

  expect(await findCorruption('main', '/no/stamp', mended)).toBeUndefined()
  expect(await findCorruption('main', '/no/stamp', damaged)).toBeDefined()
})

test('only the end of a long log is read, and the answer is short', async () => {
  const bad = zap('fatal', 'walpb: crc mismatch', 'x'.repeat(1000))
  const noise = Array.from({ length: 2000 }, () => zap('info', 'applied', 'y'.repeat(40)))

  expect(
    await findCorruption('main', '/no/stamp', await logs({ [of('main')]: [bad, ...noise] })),
  ).toBeUndefined()
  const found = await findCorruption('main', '/no/stamp', await logs({ [of('main')]: [...noise, bad] }))
  expect(found?.length).toBeLessThanOrEqual(300)
})

test('no pod has run yet', async () => {
  expect(await findCorruption('main', '/no/stamp', await logs({}))).toBeUndefined()
  expect(await findCorruption('main', '/no/stamp', '/nowhere/at/all')).toBeUndefined()
})

test('a log from before the disk was stamped speaks of an earlier member', async () => {
  const folder = await logs({ [of('main')]: [zap('fatal', 'walpb: crc mismatch')] })
  const stamp = join(folder, 'stamp')
  await writeFile(stamp, '{}')
  const later = new Date(Date.now() + 60_000)
  await utimes(stamp, later, later)

  expect(await findCorruption('main', stamp, folder)).toBeUndefined()
})
