import { parse } from 'yaml'
import type { KubeApi, KubeObject } from '../controlplane/api.ts'
import { kubeadm, kubeadmConfig } from './kubernetes.ts'

/**
 * A zone that is lost must not take every CoreDNS; kubeadm by itself only spreads over nodes. Where masters
 * stand in several zones the second one waits for a node of another: in a cluster that comes up the first
 * zone's nodes are often the only ones for a moment. One CoreDNS alone counts as available meanwhile.
 */
export const zoneSpread = (zones: number) => ({
  maxSkew: 1,
  topologyKey: 'topology.kubernetes.io/zone',
  ...(zones > 1
    ? { whenUnsatisfiable: 'DoNotSchedule', minDomains: 2 }
    : { whenUnsatisfiable: 'ScheduleAnyway' }),
  labelSelector: { matchLabels: { 'k8s-app': 'kube-dns' } },
})

const paths: Record<string, string> = {
  Deployment: '/apis/apps/v1/namespaces/kube-system/deployments',
  ConfigMap: '/api/v1/namespaces/kube-system/configmaps',
  Service: '/api/v1/namespaces/kube-system/services',
  ServiceAccount: '/api/v1/namespaces/kube-system/serviceaccounts',
  ClusterRole: '/apis/rbac.authorization.k8s.io/v1/clusterroles',
  ClusterRoleBinding: '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
}

interface PodSpec {
  topologySpreadConstraints?: unknown[]
  containers?: { readinessProbe?: { periodSeconds?: number } }[]
}

interface Workload extends KubeObject {
  spec?: { template?: { spec?: PodSpec } }
}

/** kubeadm's CoreDNS, spread over the zones from its first rollout on. `zones`: how many have a master. */
export async function applyCoreDns(api: KubeApi, zones: number): Promise<void> {
  const printed = await kubeadm([
    ...['init', 'phase', 'addon', 'coredns', '--print-manifest'],
    `--config=${kubeadmConfig}`,
  ])
  for (const object of manifestsIn(printed)) {
    const path = paths[object.kind ?? '']
    if (!path) throw new Error(`kubeadm's CoreDNS holds a ${object.kind}, which is not known here`)
    const spec = object.kind === 'Deployment' ? object.spec?.template?.spec : undefined
    if (spec) {
      spec.topologySpreadConstraints = [zoneSpread(zones)]
      // Asked every ten seconds by default, which is how long a cluster that is up waits for its names.
      for (const container of spec.containers ?? []) {
        if (container.readinessProbe) container.readinessProbe.periodSeconds = 1
      }
    }
    await api.patch(`${path}/${object.metadata?.name}`, object, { type: 'apply', fieldManager: 'holdfast' })
  }
}

/** kubeadm prints its documents behind `---`, the first of them on the same line, after remarks of its own. */
export const manifestsIn = (printed: string): Workload[] =>
  printed
    .split(/^---/m)
    .filter((text) => /^\s*apiVersion:/.test(text))
    .map((text) => parse(text) as Workload)
