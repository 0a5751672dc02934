import { open, readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { EtcdName } from '../spec/types.ts'

/** What etcd 3.6 says of its own data when that is damaged; mostly it ends then. */
const signs = [
  // Its log.
  /walpb: crc mismatch/,
  /wal: (crc mismatch|slice bounds out of range|max entry size|file not found|conflicting metadata|snapshot mismatch)/,
  /failed to (recover|read) (v3 backend|WAL)/i,
  /(discovery|bootstrap) failed.*(\bproto: |unexpected block type)|unmarshal should never fail/,
  // A log of which nothing is left but what etcd took for a torn end: it does not say whose it was.
  /cannot use none as id/,
  /tocommit\(\d+\) is out of range/,
  // Its database; the last two are those of one that ends too soon.
  /invalid database|database checksum|freelist|version mismatch.*bolt|panic: assertion failed|page \d+ already freed/i,
  /fatal error: fault|unexpected fault address/,
  // Its snapshots, and what does not go together.
  /failed to find .* snapshot|missing consistent index|consistent_index\(\d+\) is older/i,
  /database file .*(does not match with snapshot|is missing)/,
  // Its snapshot has members of a later time than its raft configuration, which therefore never learns of them:
  // it runs, but raft drops the answers of those it does not list. See `member-flags.ts`.
  /Validation on configuration change failed.{0,40}membership: ID exists/,
]

const tailBytes = 64 * 1024

/**
 * The line in which etcd on this machine says that its data is damaged, from the end of its newest log;
 * undefined when it says no such thing. Logs older than the disk's stamp are of an earlier member.
 */
export async function findCorruption(
  etcd: EtcdName,
  stampFile: string,
  podLogs = '/var/log/pods',
): Promise<string | undefined> {
  const folders = (await readdir(podLogs).catch(() => [])).filter((name) =>
    name.startsWith(`kube-system_etcd-${etcd}-`),
  )
  const files = await Promise.all(
    folders.map(async (folder) => {
      const names = await readdir(join(podLogs, folder, 'etcd')).catch(() => [])
      return names
        .filter((name) => /^\d+\.log$/.test(name))
        .map((name) => join(podLogs, folder, 'etcd', name))
    }),
  )
  const times = await Promise.all(files.flat().map(async (path) => ({ path, time: await changedAt(path) })))
  // Written at the same moment, the one of the later start is the newer one.
  const startOf = (path: string): number => Number.parseInt(basename(path), 10)
  const newest = times
    .sort((one, other) => one.time - other.time || startOf(one.path) - startOf(other.path))
    .at(-1)
  if (!newest || newest.time < (await changedAt(stampFile))) return undefined
  const line = (await tail(newest.path))
    .split('\n')
    .findLast(
      (text) =>
        /"level":"(fatal|panic|error)"|^.{0,60}(panic|fatal error):/.test(text) &&
        signs.some((sign) => sign.test(text)),
    )
  return line?.slice(0, 300)
}

/** Milliseconds since 1970; 0 when it is not there. */
const changedAt = async (path: string): Promise<number> =>
  (await stat(path).catch(() => undefined))?.mtimeMs ?? 0

async function tail(path: string): Promise<string> {
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    const start = Math.max(0, size - tailBytes)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - start), 0, size - start, start)
    return buffer.subarray(0, bytesRead).toString('utf8')
  } finally {
    await file.close()
  }
}
