import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { EtcdName } from '../spec/types.ts'

/** What etcd 3.6 says before it ends because of its own data. */
const signs = [
  /walpb: crc mismatch/,
  /wal: (crc mismatch|slice bounds out of range|max entry size)/,
  /failed to (recover|read) (v3 backend|WAL)/i,
  /invalid database|database checksum|freelist|version mismatch.*bolt/i,
  /database space.*corrupt|found inconsistency with peers/,
  /tocommit\(\d+\) is out of range/,
  /failed to find .* snapshot|missing consistent index/i,
]

const tailBytes = 64 * 1024

/**
 * The line in which etcd on this machine says that its data is damaged, from the end of its newest log;
 * undefined when it says no such thing.
 */
export async function findCorruption(etcd: EtcdName, podLogs = '/var/log/pods'): Promise<string | undefined> {
  const folders = await readdir(podLogs).catch(() => [])
  for (const folder of folders.filter((name) => name.startsWith(`kube-system_etcd-${etcd}-`))) {
    const files = (await readdir(join(podLogs, folder, 'etcd')).catch(() => [])).filter((name) =>
      /^\d+\.log$/.test(name),
    )
    const newest = files.sort((one, other) => Number.parseInt(one, 10) - Number.parseInt(other, 10)).at(-1)
    if (!newest) continue
    const line = (await tail(join(podLogs, folder, 'etcd', newest)))
      .split('\n')
      .findLast(
        (text) =>
          /"level":"(fatal|panic|error)"|^.{0,60}panic:/.test(text) && signs.some((sign) => sign.test(text)),
      )
    if (line) return line.slice(0, 300)
  }
  return undefined
}

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
