import { createHash } from 'node:crypto'
import { HoldfastError } from '../errors.ts'
import type { Stored } from './store.ts'

/** A file of the store holds something that the store did not write. */
export class StoreCorruptError extends HoldfastError {
  readonly file: string
  constructor(file: string, reason: string) {
    super('store-corrupt', `The state store's file ${file} is damaged: ${reason}`, {
      remedy: 'Put back this file from a backup. Nothing reads or replaces it until then.',
    })
    this.file = file
  }
}

/**
 * The form of a file: one header line with revision and checksum, then the value as it is, so that
 * people can read it. The `#` makes the header a comment in YAML and PEM files.
 */
export function encodeRecord(record: Stored): string {
  return `# holdfast 1 revision ${record.revision} sha256 ${checksum(record)}\n${record.value}`
}

/** @throws StoreCorruptError naming `file`. */
export function decodeRecord(file: string, bytes: Buffer): Stored {
  const end = bytes.indexOf(10)
  const header = /^# holdfast 1 revision ([1-9]\d{0,14}) sha256 ([0-9a-f]{64})$/.exec(
    bytes.subarray(0, Math.max(end, 0)).toString('latin1'),
  )
  if (!header) throw new StoreCorruptError(file, 'its first line is no header of the store')
  const record = { value: bytes.subarray(end + 1).toString('utf8'), revision: Number(header[1]) }
  if (checksum(record) !== header[2])
    throw new StoreCorruptError(file, 'its checksum does not match its content')
  return record
}

const checksum = (record: Stored): string =>
  createHash('sha256').update(`${record.revision}\n${record.value}`).digest('hex')
