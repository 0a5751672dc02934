import { open } from 'node:fs/promises'

/** Where a member's content stands in a tar file, in bytes. */
export interface TarPlace {
  offset: number
  size: number
}

const blockBytes = 512

/** The regular files of a tar that `writeTar` wrote, by path. Throws where it is no such tar or cut off. */
export async function readTarIndex(file: string): Promise<Map<string, TarPlace>> {
  const handle = await open(file)
  try {
    const { size: end } = await handle.stat()
    const places = new Map<string, TarPlace>()
    const block = Buffer.alloc(blockBytes)
    for (let at = 0; ; ) {
      const { bytesRead } = await handle.read(block, 0, blockBytes, at)
      if (bytesRead < blockBytes) throw new Error('it ends too early')
      if (block.every((byte) => byte === 0)) return places
      if (block.toString('latin1', 257, 262) !== 'ustar') throw new Error('it is not a tar file')
      const size = Number.parseInt(block.toString('latin1', 124, 135), 8)
      const offset = at + blockBytes
      if (!Number.isSafeInteger(size) || size < 0 || offset + size > end) throw new Error('it ends too early')
      const name = block.toString('utf8', 0, 100).replace(/\0.*$/s, '')
      if (block.toString('latin1', 156, 157) === '0') places.set(name, { offset, size })
      at = offset + Math.ceil(size / blockBytes) * blockBytes
    }
  } finally {
    await handle.close()
  }
}
