import { HoldfastError } from '../../errors.ts'

const letters = 'abcdefghijklmnopqrstuvwxyz0123456789'

/** Five lower-case letters and digits from five random bytes (the small bias does no harm). */
export function suffixFrom(bytes: Uint8Array): string {
  return [...bytes.slice(0, 5)].map((byte) => letters[byte % letters.length]).join('')
}

/**
 * The next free address of an IPv4 network after `last`, wrapping round: a replacement should not
 * meet its predecessor's address while others still have it in their caches.
 * @throws HoldfastError `network-full`.
 */
export function nextAddress(cidr: string, taken: ReadonlySet<string>, last?: string): string {
  const [base = '', length = ''] = cidr.split('/')
  const size = 2 ** (32 - Number(length))
  const first = Math.floor(toNumber(base) / size) * size
  const start = last === undefined ? 1 : toNumber(last) - first
  const begin = Number.isFinite(start) && start > 0 && start < size ? start : 1
  // The first is the network's, the last its broadcast's; the gateway's is among the taken.
  for (let step = 1; step <= size; step++) {
    const offset = (begin + step) % size
    if (offset < 2 || offset === size - 1) continue
    const address = toText(first + offset)
    if (!taken.has(address)) return address
  }
  throw new HoldfastError('network-full', `Every address of the machines' network ${cidr} is in use`, {
    remedy: 'Use a larger machineCidr, or fewer machines.',
  })
}

const toNumber = (address: string): number =>
  address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)

const toText = (value: number): string =>
  [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.')
