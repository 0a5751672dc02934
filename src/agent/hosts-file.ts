import { open } from 'node:fs/promises'
import { memberHostName } from '../etcd/names.ts'
import { ETCD_NAMES } from '../spec/types.ts'
import { readIfThere } from './files.ts'

const begin = '# holdfast: members of etcd'
const end = '# holdfast: end'

/**
 * The machine's hosts file with the seats' names in a block of ours; what others wrote stays. The seats' names
 * outside the block, and marks without a block, are what a cut-off write left behind. Pure.
 */
export function withSeats(hosts: string, cluster: string, seats: ReadonlyMap<string, string>): string {
  const suffixes = ETCD_NAMES.map((etcd) => memberHostName(cluster, etcd, ''))
  const namesSeat = (line: string): boolean =>
    (line.split('#')[0] ?? '').split(/\s+/).some((word) => suffixes.some((suffix) => word.endsWith(suffix)))
  const others = hosts
    .split('\n')
    .filter((line) => line !== begin && line !== end && !namesSeat(line))
    .join('\n')
  const lines = [...seats]
    .sort(([one], [other]) => one.localeCompare(other))
    .map(
      ([seat, address]) =>
        `${address} ${ETCD_NAMES.map((etcd) => memberHostName(cluster, etcd, seat)).join(' ')}`,
    )
  return `${others.replace(/\n*$/, '\n')}${begin}\n${lines.map((line) => `${line}\n`).join('')}${end}\n`
}

/**
 * What is written over a text before the file is cut to the new one's length: never shorter than the old one,
 * so that a kill before the cut leaves empty lines and nothing of the old text. Pure.
 */
export function covering(old: string, text: string): string {
  return text + '\n'.repeat(Math.max(0, Buffer.byteLength(old) - Buffer.byteLength(text)))
}

/** Written in place, because etcd's pods have this very file mounted: a rename would leave them the old one. */
export async function writeHosts(
  cluster: string,
  seats: ReadonlyMap<string, string>,
  path = '/etc/hosts',
): Promise<void> {
  const before = (await readIfThere(path)) ?? '127.0.0.1 localhost\n'
  const after = withSeats(before, cluster, seats)
  if (after === before) return
  const file = await open(path, 'r+').catch(() => open(path, 'w', 0o644))
  try {
    const bytes = Buffer.from(covering(before, after))
    // Written first and cut then, so that a reader never meets an empty file.
    await file.write(bytes, 0, bytes.length, 0)
    await file.truncate(Buffer.byteLength(after))
    await file.sync()
  } finally {
    await file.close()
  }
}
