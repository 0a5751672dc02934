import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'

/** One member of a tar file. Content is given twice if asked twice, always the same. */
export type TarEntry =
  | { kind: 'directory'; path: string; mode?: number }
  | { kind: 'symlink'; path: string; target: string }
  | { kind: 'file'; path: string; mode?: number; size: number; chunks: () => AsyncIterable<Uint8Array> }

const blockBytes = 512

/** A member from memory. */
export const textEntry = (path: string, text: string, mode = 0o644): TarEntry => {
  const content = Buffer.from(text)
  return {
    kind: 'file',
    path,
    mode,
    size: content.length,
    chunks: async function* () {
      yield content
    },
  }
}

/** A member whose content is read from a file of the host when it is written. */
export async function fileEntry(path: string, source: string, mode = 0o644): Promise<TarEntry> {
  const { size } = await stat(source)
  return {
    kind: 'file',
    path,
    mode,
    size,
    chunks: () => createReadStream(source, { highWaterMark: 1 << 20 }),
  }
}

/**
 * A POSIX ustar archive: the same members give the same bytes, for there are no times, users or
 * order of the file system in it. Paths have at most 100 bytes, files at most 8 GiB.
 */
export async function* writeTar(entries: readonly TarEntry[]): AsyncGenerator<Uint8Array> {
  for (const entry of entries) {
    yield header(entry)
    if (entry.kind !== 'file') continue
    let written = 0
    for await (const chunk of entry.chunks()) {
      written += chunk.length
      yield chunk
    }
    if (written !== entry.size) {
      throw new Error(`${entry.path} has ${written} bytes instead of ${entry.size}: it changed meanwhile`)
    }
    yield Buffer.alloc(padding(written))
  }
  yield Buffer.alloc(2 * blockBytes)
}

/** Size in bytes of the whole archive. */
export const tarSize = (entries: readonly TarEntry[]): number =>
  entries.reduce(
    (sum, entry) => sum + blockBytes + (entry.kind === 'file' ? entry.size + padding(entry.size) : 0),
    2 * blockBytes,
  )

const padding = (size: number): number => (blockBytes - (size % blockBytes)) % blockBytes

const typeFlags = { file: '0', symlink: '2', directory: '5' } as const

function header(entry: TarEntry): Buffer {
  const path = entry.kind === 'directory' ? `${entry.path.replace(/\/$/, '')}/` : entry.path
  const target = entry.kind === 'symlink' ? entry.target : ''
  if (Buffer.byteLength(path) > 100 || Buffer.byteLength(target) > 100) {
    throw new Error(`${path} is too long for a tar header`)
  }
  const mode = entry.kind === 'symlink' ? 0o777 : (entry.mode ?? (entry.kind === 'directory' ? 0o755 : 0o644))
  const block = Buffer.alloc(blockBytes)
  block.write(path, 0)
  block.write(octal(mode, 7), 100)
  block.write(octal(0, 7), 108)
  block.write(octal(0, 7), 116)
  block.write(octal(entry.kind === 'file' ? entry.size : 0, 11), 124)
  block.write(octal(0, 11), 136)
  block.write('        ', 148)
  block.write(typeFlags[entry.kind], 156)
  block.write(target, 157)
  block.write('ustar\x0000', 257, 'latin1')
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${octal(sum, 6)}\0 `, 148, 'latin1')
  return block
}

const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, '0')
