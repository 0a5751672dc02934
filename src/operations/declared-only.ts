import type { Cloud } from '../clouds/cloud.ts'
import { HoldfastError } from '../errors.ts'

/** A cloud on which clusters can be declared and planned, and nothing be made yet. */
export function declaredOnly(kind: 'aws' | 'hosts'): Cloud {
  const refuse = () =>
    Promise.reject(
      new HoldfastError('cloud-not-there', `Making clusters on the cloud ${kind} is not there yet`, {
        remedy: 'Use --cloud local for now.',
        exitCode: 2,
      }),
    )
  return {
    kind,
    check: async () => [
      {
        severity: 'error',
        blocks: 'update',
        path: 'cluster.spec.cloud',
        message: `clusters on ${kind} can be declared and planned, and not be made yet`,
        remedy: 'Use --cloud local for now.',
      },
    ],
    observe: async () => ({ groups: [], machines: [], volumes: [] }),
    clusters: async () => [],
    carryOut: refuse,
    host: refuse,
    power: refuse,
  }
}
