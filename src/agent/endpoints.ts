import { readFile } from 'node:fs/promises'
import type { Machine } from '../clouds/cloud.ts'
import { ports } from '../constants.ts'
import type { KubeApi, KubeObject } from '../controlplane/api.ts'
import { type EtcdClient, etcdClient } from '../etcd/client.ts'
import { etcdFiles } from './etcd-pki.ts'

interface EndpointSlice extends KubeObject {
  endpoints?: { addresses: string[] }[]
}

const leases = '/registry/masterleases/'

/**
 * An apiserver that died leaves its address among the endpoints of the `kubernetes` Service until its
 * lease in etcd has run out. The lease of a machine that is proven dead is removed at once; the living
 * apiservers then take the address out.
 * Source: k8s.io/kubernetes pkg/controlplane/reconcilers/lease.go.
 */
export async function pruneEndpoints(
  api: Pick<KubeApi, 'tryGet'>,
  machines: readonly Pick<Machine, 'role' | 'address'>[],
  openEtcd: () => Promise<EtcdClient> = ownEtcd,
): Promise<void> {
  const slice = await api.tryGet<EndpointSlice>(
    '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes',
  )
  const masters = new Set(machines.filter(({ role }) => role === 'master').map(({ address }) => address))
  const listed = slice?.endpoints?.flatMap(({ addresses }) => addresses) ?? []
  const stale = listed.filter((address) => !masters.has(address))
  if (stale.length === 0 || masters.size === 0) return
  const etcd = await openEtcd()
  try {
    for (const address of stale) await etcd.delete(`${leases}${address}`)
  } finally {
    etcd.close()
  }
}

async function ownEtcd(): Promise<EtcdClient> {
  const [ca = '', cert = '', key = ''] = await Promise.all(
    [etcdFiles.ca, etcdFiles.clientCert, etcdFiles.clientKey].map((file) => readFile(file, 'utf8')),
  )
  return etcdClient({ endpoints: [`https://127.0.0.1:${ports.etcd.main.client}`], ca, cert, key })
}
