import { ports } from '../constants.ts'
import type { ClusterSpec } from '../spec/types.ts'

export interface MasterFacts {
  cluster: ClusterSpec
  nodeName: string
  zone: string
  address: string
  endpoint: { address: string; port: number }
  /** Where kubelet takes the resolver for pods from. */
  resolvConf: string
  cgroupDriver: 'cgroupfs' | 'systemd'
  nodeLabels: Record<string, string>
  /** `key=value:Effect`, as kubectl writes them. */
  taints: readonly string[]
}

export const criSocket = 'unix:///run/containerd/containerd.sock'
export const controlPlaneTaint = {
  key: 'node-role.kubernetes.io/control-plane',
  effect: 'NoSchedule',
} as const

/**
 * Readiness and liveness leave the events cluster out: with `events` down, main must stay usable.
 * The balancer asks the same question.
 */
export const healthExclusions = 'exclude=etcd-override-0&exclude=etcd-override-readiness-0'

const args = (flags: Record<string, string>): { name: string; value: string }[] =>
  Object.entries(flags).map(([name, value]) => ({ name, value }))

/** Leases 10/7/1 s: another controller-manager or scheduler leads after 13.5 s at most. */
const leaderElection = {
  'leader-elect-lease-duration': '10s',
  'leader-elect-renew-deadline': '7s',
  'leader-elect-retry-period': '1s',
}

const document = (value: unknown): string => JSON.stringify(value, null, 2)

/** kubeadm's configuration (v1beta4) for `kubeadm init` on one master. Documents of JSON, separated as YAML. */
export function renderInitConfiguration(facts: MasterFacts, patchesDirectory: string): string {
  return [
    {
      apiVersion: 'kubeadm.k8s.io/v1beta4',
      kind: 'InitConfiguration',
      // The workers' tokens are made by whoever holds the duties. kubeadm's phase cannot leave one out:
      // by its description it is found and deleted at once (see agent/cluster-phases.ts).
      bootstrapTokens: [{ description: 'made by kubeadm init, wanted by nobody', ttl: '10m0s' }],
      localAPIEndpoint: { advertiseAddress: facts.address, bindPort: ports.apiserver },
      nodeRegistration: {
        name: facts.nodeName,
        criSocket,
        imagePullPolicy: 'IfNotPresent',
        taints: [controlPlaneTaint],
        // By kubelet itself, at registration: kubeadm would taint only afterwards.
        kubeletExtraArgs: args(
          kubeletFlags({
            ...facts,
            taints: [`${controlPlaneTaint.key}=:${controlPlaneTaint.effect}`, ...facts.taints],
          }),
        ),
      },
      patches: { directory: patchesDirectory },
      skipPhases: [],
    },
    clusterConfiguration(facts),
    kubeletConfiguration(facts),
    {
      apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
      kind: 'KubeProxyConfiguration',
      mode: 'nftables',
      clusterCIDR: facts.cluster.spec.networking.podCidr,
      // The kernel's connection tracking limits belong to the host, not to a machine's name space.
      conntrack: { maxPerCore: 0, min: 0 },
    },
  ]
    .map(document)
    .join('\n---\n')
}

export function kubeletFlags(
  facts: Pick<MasterFacts, 'address' | 'zone' | 'nodeLabels' | 'taints'>,
): Record<string, string> {
  const labels = { 'topology.kubernetes.io/zone': facts.zone, ...facts.nodeLabels }
  return {
    'node-ip': facts.address,
    'node-labels': Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(','),
    ...(facts.taints.length > 0 ? { 'register-with-taints': facts.taints.join(',') } : {}),
  }
}

function clusterConfiguration(facts: MasterFacts) {
  const { spec, metadata } = facts.cluster
  const { networking, api } = spec
  const etcdPki = '/etc/kubernetes/pki'
  return {
    apiVersion: 'kubeadm.k8s.io/v1beta4',
    kind: 'ClusterConfiguration',
    clusterName: metadata.name,
    kubernetesVersion: `v${spec.kubernetesVersion}`,
    controlPlaneEndpoint: `${facts.endpoint.address}:${facts.endpoint.port}`,
    encryptionAlgorithm: 'ECDSA-P256',
    networking: {
      podSubnet: networking.podCidr,
      serviceSubnet: networking.serviceCidr,
      dnsDomain: networking.clusterDomain,
    },
    etcd: {
      external: {
        endpoints: [`https://127.0.0.1:${ports.etcd.main.client}`],
        caFile: `${etcdPki}/etcd/ca.crt`,
        certFile: `${etcdPki}/apiserver-etcd-client.crt`,
        keyFile: `${etcdPki}/apiserver-etcd-client.key`,
      },
    },
    apiServer: {
      certSANs: [
        ...apiserverNames(facts.cluster),
        facts.endpoint.address,
        '127.0.0.1',
        'localhost',
        ...api.extraNames,
      ],
      extraArgs: args({
        'etcd-servers-overrides': `/events#https://127.0.0.1:${ports.etcd.events.client}`,
        // Longer than the balancer needs to see it: no request meets a closed port.
        'shutdown-delay-duration': '3s',
        // A client that is stuck on one apiserver after a fail-over moves on by and by.
        'goaway-chance': '0.001',
        'etcd-healthcheck-timeout': '2s',
        'etcd-readycheck-timeout': '2s',
      }),
    },
    controllerManager: {
      extraArgs: args({
        ...leaderElection,
        'allocate-node-cidrs': 'true',
        'node-cidr-mask-size': '24',
        'node-monitor-grace-period': '20s',
        // Thirty controllers ask for a token each before any of them starts: at the default of 20 a second
        // that alone takes more than four seconds, after every change of the leader.
        'kube-api-qps': '100',
        'kube-api-burst': '200',
      }),
    },
    scheduler: { extraArgs: args(leaderElection) },
  }
}

/** Every name that the endpoint will ever have, so that one master can become three without touching a client. */
export function apiserverNames(cluster: ClusterSpec): string[] {
  const { name } = cluster.metadata
  const { api } = cluster.spec
  return [...new Set([name, `api.${name}`, `api.${name}.internal`, ...(api.dnsName ? [api.dnsName] : [])])]
}

export function kubeletConfiguration(facts: Pick<MasterFacts, 'cluster' | 'resolvConf' | 'cgroupDriver'>) {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    cgroupDriver: facts.cgroupDriver,
    failCgroupV1: false,
    failSwapOn: false,
    rotateCertificates: true,
    serverTLSBootstrap: true,
    resolvConf: facts.resolvConf,
    clusterDomain: facts.cluster.spec.networking.clusterDomain,
    // Static pods are read again this often; kubelet also watches the folder.
    fileCheckFrequency: '5s',
    syncFrequency: '10s',
    nodeLeaseDurationSeconds: 20,
    shutdownGracePeriod: '0s',
    serializeImagePulls: false,
    imageGCHighThresholdPercent: 100,
    evictionHard: { 'memory.available': '100Mi', 'nodefs.available': '2%', 'imagefs.available': '2%' },
  }
}

/** kubeadm patches, by file name; they must be given again at every upgrade. */
export function controlPlanePatches(): Record<string, string> {
  const probe = (path: string) => ({ httpGet: { path }, periodSeconds: 2 })
  // kubeadm waits ten seconds before it asks for the first time; the allowance is as long as kubeadm's.
  const quick = { initialDelaySeconds: 1, periodSeconds: 1, failureThreshold: 300 }
  const apiserver = {
    spec: {
      containers: [
        {
          name: 'kube-apiserver',
          livenessProbe: { ...probe(`/livez?${healthExclusions}`), periodSeconds: 10 },
          readinessProbe: probe(`/readyz?${healthExclusions}`),
          // One that does not become live is started again after two minutes instead of kubeadm's four.
          startupProbe: { ...probe(`/livez?${healthExclusions}`), ...quick, failureThreshold: 120 },
        },
      ],
    },
  }
  const quickStart = (name: string, path: string) => ({
    spec: { containers: [{ name, startupProbe: { ...probe(path), ...quick } }] },
  })
  return {
    'kube-apiserver0+strategic.json': document(apiserver),
    'kube-controller-manager0+strategic.json': document(quickStart('kube-controller-manager', '/healthz')),
    'kube-scheduler0+strategic.json': document(quickStart('kube-scheduler', '/livez')),
  }
}
