import { localHost } from '../../hosts/local.ts'

export interface HostRoute {
  cidr: string
  device: string
}

/** The host's IPv4 routes without default routes, for finding overlaps. From `ip -json route`. */
export async function hostRoutes(): Promise<HostRoute[]> {
  const { stdout } = await localHost().run(['ip', '-json', '-4', 'route', 'show', 'table', 'all'])
  return parseRoutes(stdout)
}

export function parseRoutes(json: string): HostRoute[] {
  const rows: unknown = json.trim() === '' ? [] : JSON.parse(json)
  if (!Array.isArray(rows)) return []
  const routes: HostRoute[] = []
  for (const row of rows as { dst?: string; dev?: string; type?: string; nexthops?: { dev?: string }[] }[]) {
    const { dst, type } = row
    if (!dst || dst === 'default' || dst === '0.0.0.0/0') continue
    if (type === 'broadcast' || type === 'multicast') continue
    routes.push({
      cidr: dst.includes('/') ? dst : `${dst}/32`,
      device: row.dev ?? row.nexthops?.[0]?.dev ?? type ?? 'unknown',
    })
  }
  return routes
}

/** First and last address of an IPv4 range as numbers. A bad range gives NaN, which overlaps nothing. */
export function rangeOf(cidr: string): { first: number; last: number } {
  const [base = '', length = '32'] = cidr.split('/')
  const size = 2 ** (32 - Number(length))
  const address = base.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
  const first = Math.floor(address / size) * size
  return { first, last: first + size - 1 }
}

export function overlaps(one: string, other: string): boolean {
  const a = rangeOf(one)
  const b = rangeOf(other)
  return a.first <= b.last && b.first <= a.last
}

export const addressText = (value: number): string =>
  [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.')
