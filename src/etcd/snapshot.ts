import { createHash } from 'node:crypto'
import { open, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { EtcdError } from './errors.ts'
import type { Gateway } from './gateway.ts'

const digestBytes = 32

/**
 * Streams a snapshot to a file. Its last 32 bytes are the SHA-256 of what comes before, which is how
 * etcdutl knows it too; it is checked before the file gets its name.
 * @throws EtcdError; the file is not there then.
 * @see etcd server/etcdserver/api/v3rpc/maintenance.go, Snapshot
 */
export async function saveSnapshot(
  gateway: Gateway,
  path: string,
  timeoutMs: number,
): Promise<{ sizeBytes: number; sha256: string }> {
  const draft = `${path}.part`
  const file = await open(draft, 'w', 0o600)
  const content = createHash('sha256')
  const whole = createHash('sha256')
  let sizeBytes = 0
  /** What may turn out to be the digest at the end. */
  let tail: Buffer = Buffer.alloc(0)
  try {
    try {
      await gateway.stream(
        '/v3/maintenance/snapshot',
        {},
        async (message) => {
          const blob = Buffer.from('blob' in message ? String(message.blob) : '', 'base64')
          await file.writeFile(blob)
          whole.update(blob)
          sizeBytes += blob.length
          const seen = Buffer.concat([tail, blob])
          const known = Math.max(0, seen.length - digestBytes)
          content.update(seen.subarray(0, known))
          tail = Buffer.from(seen.subarray(known))
        },
        timeoutMs,
      )
      await file.sync()
    } finally {
      await file.close()
    }
    if (sizeBytes <= digestBytes || !content.digest().equals(tail)) {
      throw new EtcdError(
        'other',
        15,
        dirname(path),
        'the snapshot ended early or its checksum does not match',
      )
    }
    await rename(draft, path)
  } catch (error) {
    await unlink(draft).catch(() => {})
    throw error
  }
  const folder = await open(dirname(path), 'r')
  await folder.sync().finally(() => folder.close())
  return { sizeBytes, sha256: whole.digest('hex') }
}
