import type { Problem } from '../../errors.ts'
import type { Declaration } from '../../spec/types.ts'
import { type HostRoute, overlaps } from './routes.ts'

/**
 * Ranges of a declaration that meet a route of this host, each with that route. Pure.
 * @param own the cluster's own bridge, whose route is no obstacle to itself.
 */
export function rangeProblems(
  { cluster }: Declaration,
  routes: readonly HostRoute[],
  own?: string,
): Problem[] {
  const { podCidr, serviceCidr, machineCidr } = cluster.spec.networking
  const ranges = Object.entries({ podCidr, serviceCidr, machineCidr })
  return ranges.flatMap(([name, cidr]): Problem[] => {
    const route = cidr && routes.find((other) => other.device !== own && overlaps(other.cidr, cidr))
    if (!route) return []
    return [
      {
        severity: 'error',
        path: `spec.networking.${name}`,
        message: `${cidr} overlaps the host's route ${route.cidr} (${route.device})`,
        remedy: 'Choose another range.',
      },
    ]
  })
}
