/**
 * etcd's file of one raft snapshot, `member/snap/TERM-INDEX.snap`: a checksum and the snapshot, which is
 * `data` (the members) and `metadata` (term, index, raft's configuration). Protobuf, from etcd's snappb and
 * raftpb.
 */
const fields = { checksum: 1, snapshot: 2, data: 1, metadata: 2 } as const

/** Raft's configuration of one file with the members of a later one. */
export function withMembersOf(earlier: Buffer, later: Buffer): Buffer {
  const snapshot = (file: Buffer): Map<number, Buffer> => parse(bytesOf(parse(file), fields.snapshot))
  const grafted = Buffer.concat([
    bytesField(fields.data, bytesOf(snapshot(later), fields.data)),
    bytesField(fields.metadata, bytesOf(snapshot(earlier), fields.metadata)),
  ])
  const checksum = Buffer.concat([varint(fields.checksum << 3), varint(crc32c(grafted))])
  return Buffer.concat([checksum, bytesField(fields.snapshot, grafted)])
}

/** Field number → bytes; numbers are passed over. */
function parse(message: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>()
  let at = 0
  const next = (): number => {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = message.readUInt8(at)
      at += 1
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
  }
  while (at < message.length) {
    const tag = next()
    const value = next()
    if ((tag & 7) === 0) continue
    if ((tag & 7) !== 2) throw new Error(`no such wire type: ${tag & 7}`)
    found.set(tag >> 3, message.subarray(at, at + value))
    at += value
  }
  return found
}

function bytesOf(message: Map<number, Buffer>, field: number): Buffer {
  const found = message.get(field)
  if (!found) throw new Error(`the snapshot has no field ${field}`)
  return found
}

const bytesField = (field: number, bytes: Buffer): Buffer =>
  Buffer.concat([varint((field << 3) | 2), varint(bytes.length), bytes])

function varint(value: number): Buffer {
  const bytes: number[] = []
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest])
    bytes.push((rest % 128) | 0x80)
  }
}

/** Castagnoli's polynomial, which zlib does not know. */
function crc32c(bytes: Buffer): number {
  let sum = 0xffffffff
  for (const byte of bytes) {
    sum ^= byte
    for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0x82f63b78 : sum >>> 1
  }
  return (sum ^ 0xffffffff) >>> 0
}
