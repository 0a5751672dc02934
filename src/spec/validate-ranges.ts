import type { Problem } from '../errors.ts'
import { overlap, parseCidr, type Range, tryRange } from './cidr.ts'
import type { Declaration } from './types.ts'

export interface HostRoute {
  cidr: string
  device: string
}

/** The controller-manager gives every node a range of this prefix. */
const nodePrefix = 24
/** Of a range for machines: network, gateway with the endpoint, broadcast, and one for a replacement. */
const addressesKept = 4
/** The local cloud's choice where no range is named. */
const chosenPrefix = 24
const fields = ['podCidr', 'serviceCidr', 'machineCidr'] as const
type Field = (typeof fields)[number]
const words: Record<Field, string> = {
  podCidr: "the pods' range",
  serviceCidr: "the services' range",
  machineCidr: "the machines' range",
}

/** Prefix lengths that work. Services: the apiserver takes at most 20 bits, and DNS is the tenth address. */
const prefixes: Record<Field, [number, number]> = {
  podCidr: [8, nodePrefix],
  serviceCidr: [12, 28],
  machineCidr: [8, 28],
}

const special = [
  { cidr: '0.0.0.0/8', what: 'no addresses of hosts' },
  { cidr: '127.0.0.0/8', what: 'every host itself' },
  { cidr: '169.254.0.0/16', what: 'link-local addresses' },
  { cidr: '224.0.0.0/3', what: 'multicast and reserved addresses' },
]

/** Syntax and size of the ranges, and whether they meet each other or a route of the host. */
export function rangeProblems({ cluster, groups }: Declaration, hostRoutes: readonly HostRoute[]): Problem[] {
  const problems: Problem[] = []
  const error = (field: Field, message: string, remedy: string) =>
    problems.push({ severity: 'error', path: `cluster.spec.networking.${field}`, message, remedy })
  const known: { field: Field; text: string; range: Range }[] = []

  for (const field of fields) {
    const text = cluster.spec.networking[field]
    if (text === undefined) continue
    const result = parseCidr(text)
    if ('fault' in result) {
      error(field, `${words[field]}: ${result.fault}`, result.remedy)
      continue
    }
    const { range } = result
    const [least, most] = prefixes[field]
    if (range.prefix < least || range.prefix > most) {
      const size = range.prefix < least ? 'too large' : 'too small'
      error(field, `${words[field]} ${text} is ${size}`, `Use a prefix length of ${least} to ${most}.`)
      continue
    }
    const forbidden = special.find(({ cidr }) => overlaps(range, cidr))
    if (forbidden) {
      error(
        field,
        `${words[field]} ${text} holds ${forbidden.cidr}: ${forbidden.what}`,
        'Use a private range, such as 10.244.0.0/16.',
      )
      continue
    }
    for (const other of known)
      if (overlap(range, other.range))
        error(
          field,
          `${words[field]} ${text} overlaps ${words[other.field]} ${other.text}`,
          'Use ranges that are apart.',
        )
    for (const route of hostRoutes)
      if (overlaps(range, route.cidr))
        error(
          field,
          `${words[field]} ${text} overlaps this host's route ${route.cidr} on ${route.device}`,
          'Use another range, or the host could no longer reach what is there.',
        )
    known.push({ field, text, range })
  }

  const pods = known.find(({ field }) => field === 'podCidr')
  const machines = groups.reduce((sum, group) => sum + group.spec.size, 0)
  const room = pods ? 2 ** (nodePrefix - pods.range.prefix) : machines
  if (pods && machines > room)
    error(
      'podCidr',
      `${words.podCidr} ${pods.text} has room for ${room} nodes, and ${machines} are declared`,
      'Use a larger range.',
    )

  const own = known.find(({ field }) => field === 'machineCidr')
  const chosen = cluster.spec.networking.machineCidr === undefined && cluster.spec.cloud === 'local'
  const prefix = own?.range.prefix ?? (chosen ? chosenPrefix : undefined)
  const most = prefix === undefined ? machines : 2 ** (32 - prefix) - addressesKept
  if (machines > most)
    error(
      'machineCidr',
      `${words.machineCidr} ${own?.text ?? `(a /${chosenPrefix} is chosen)`} has room for ${most} machines and a replacement, and ${machines} are declared`,
      own ? 'Use a larger range.' : 'Name a larger range.',
    )
  return problems
}

function overlaps(range: Range, cidr: string): boolean {
  const other = tryRange(cidr)
  return other !== undefined && other.prefix > 0 && overlap(range, other)
}

/** The first range that meets none of those taken; the first of all where every one does. */
export function freeRange(candidates: readonly [string, ...string[]], taken: readonly string[]): string {
  const free = candidates.find((candidate) => {
    const range = tryRange(candidate)
    return range !== undefined && !taken.some((cidr) => overlaps(range, cidr))
  })
  return free ?? candidates[0]
}
