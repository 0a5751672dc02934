import { readFile } from 'node:fs/promises'
import { balancerState } from '../balancer/haproxy.ts'
import type { EndpointTarget } from '../clouds/cloud.ts'
import type { LocalCluster } from '../clouds/local/parts.ts'
import { localPaths } from '../clouds/local/records.ts'
import { isErrno } from '../errors.ts'
import type { Home } from '../home.ts'

/** What the local balancer thinks of each master; none while it does not run. */
export async function localEndpointTargets(home: Home, cluster: string): Promise<EndpointTarget[]> {
  let record: LocalCluster
  try {
    record = JSON.parse(await readFile(localPaths(home).clusterRecord(cluster), 'utf8')) as LocalCluster
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return []
    throw error
  }
  const state = await balancerState(home, record)
  return (state?.servers ?? []).map((server) => ({ name: server.name, up: server.state === 'up' }))
}
