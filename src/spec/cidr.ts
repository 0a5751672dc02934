/** IPv4 ranges as pairs of numbers: small enough to need no library, and each fault gets its own words. */
export interface Range {
  first: number
  last: number
  prefix: number
}

export type CidrResult = { range: Range } | { fault: string; remedy: string; ipv6?: true }

const example = 'Write a range such as 10.244.0.0/16.'

/** Parses `a.b.c.d/n`; bits beyond the prefix must be zero, so that a range has one spelling. */
export function parseCidr(text: string): CidrResult {
  const [address, length, ...rest] = text.split('/')
  if (text.includes(':'))
    return { fault: `${text} is IPv6, which is not there yet`, remedy: 'Use an IPv4 range.', ipv6: true }
  if (address === undefined || rest.length > 0) return { fault: `"${text}" is not a range`, remedy: example }
  const ip = parseIpv4(address)
  if (ip === undefined) return { fault: `"${text}" is not a range of IPv4 addresses`, remedy: example }
  if (length === undefined)
    return {
      fault: `"${text}" is an address without a prefix length`,
      remedy: `Write ${text}/16, for example.`,
    }
  if (!/^(\d|[12]\d|3[0-2])$/.test(length))
    return { fault: `"${text}" has the prefix length "${length}"; it is 0 to 32`, remedy: example }
  const prefix = Number(length)
  const size = 2 ** (32 - prefix)
  const first = Math.floor(ip / size) * size
  if (first !== ip)
    return {
      fault: `${text} has bits set beyond its first ${prefix}`,
      remedy: `Write ${formatIpv4(first)}/${prefix}.`,
    }
  return { range: { first, last: first + size - 1, prefix } }
}

/** As an unsigned number; undefined when the text is no dotted IPv4 address. */
export function parseIpv4(text: string): number | undefined {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256))
    return undefined
  return parts.reduce((sum, part) => sum * 256 + Number(part), 0)
}

export const formatIpv4 = (address: number): string =>
  [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.')

export const overlap = (a: Range, b: Range): boolean => a.first <= b.last && b.first <= a.last

/** The range of a text that is known to be right, otherwise undefined. */
export function tryRange(text: string): Range | undefined {
  const result = parseCidr(text)
  return 'range' in result ? result.range : undefined
}
