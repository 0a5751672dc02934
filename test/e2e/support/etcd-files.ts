import { closeSync, openSync, readdirSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { defined } from './wait.ts'

/** The files of one kind in a folder of a member, oldest first. */
export const filesOf = (folder: string, end: '.wal' | '.snap'): string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith(end))
    .sort()
    .map((name) => join(folder, name))

export const newestLog = (member: string): string =>
  defined(filesOf(join(member, 'wal'), '.wal').at(-1), `log in ${member}`)

/** Writes over what is there; the file's length stays as it is where it is long enough. */
export function overwrite(file: string, offset: number, bytes: Buffer): void {
  const open = openSync(file, 'r+')
  writeSync(open, bytes, 0, bytes.length, offset)
  closeSync(open)
}

/** A page of what means nothing to etcd. */
export const nonsense = (bytes = 4_096): Buffer => Buffer.alloc(bytes, 'damage')

/**
 * Where the records of an etcd's log begin, and where the last one ends.
 * Source: decodeRecord in etcd's server/storage/wal/decoder.go.
 */
export function walFrames(log: Buffer): { offsets: number[]; end: number } {
  const offsets: number[] = []
  let end = 0
  while (end + 8 < log.length) {
    const length = log.readBigUInt64LE(end)
    if (length === 0n) break
    offsets.push(end)
    const record = Number(length & 0x00ff_ffff_ffff_ffffn)
    const padding = length >> 63n ? Number((length >> 56n) & 7n) : 0
    end += 8 + record + padding
  }
  return { offsets, end }
}
