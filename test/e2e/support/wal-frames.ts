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
