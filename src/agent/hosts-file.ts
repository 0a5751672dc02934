import { open } from 'node:fs/promises'
import { memberHostName } from '../etcd/names.ts'
import { ETCD_NAMES } from '../spec/types.ts'
import { readIfThere } from './files.ts'

const begin = '# holdfast: members of etcd'
const end = '# holdfast: end'

/** The machine's hosts file with the seats' names in a block of ours; what others wrote stays. Pure. */
export function withSeats(hosts: string, cluster: string, seats: ReadonlyMap<string, string>): string {
  const start = hosts.indexOf(begin)
  const stop = hosts.indexOf(end)
  const others =
    start >= 0 && stop > start ? hosts.slice(0, start) + hosts.slice(stop + end.length + 1) : hosts
  const lines = [...seats]
    .sort(([one], [other]) => one.localeCompare(other))
    .map(
      ([seat, address]) =>
        `${address} ${ETCD_NAMES.map((etcd) => memberHostName(cluster, etcd, seat)).join(' ')}`,
    )
  return `${others.replace(/\n*$/, '\n')}${begin}\n${lines.map((line) => `${line}\n`).join('')}${end}\n`
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
    const bytes = Buffer.from(after)
    // The longer of both is written first, so that a reader never meets an empty file.
    await file.write(bytes, 0, bytes.length, 0)
    await file.truncate(bytes.length)
    await file.sync()
  } finally {
    await file.close()
  }
}
