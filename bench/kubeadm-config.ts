import { criSocket } from '../src/controlplane/kubeadm-config.ts'

export interface KubeadmFacts {
  kubernetesVersion: string
  /** The machines have its image; kubeadm would name another patch of the same release. */
  etcdVersion: string
  /** The first master's own address: no balancer to wait for, which favours kubeadm. */
  controlPlane: string
  cgroupDriver: 'cgroupfs' | 'systemd'
  token: string
  certificateKey: string
}

const api = 'kubeadm.k8s.io/v1beta4'
const documents = (values: readonly object[]): string =>
  values.map((value) => JSON.stringify(value)).join('\n---\n')
const registration = (name: string, address: string) => ({
  name,
  criSocket,
  imagePullPolicy: 'IfNotPresent',
  kubeletExtraArgs: [{ name: 'node-ip', value: address }],
})

/** kubeadm's own defaults but for what these machines need to work at all. */
export function initConfiguration(facts: KubeadmFacts, name: string, address: string): string {
  return documents([
    {
      apiVersion: api,
      kind: 'InitConfiguration',
      bootstrapTokens: [{ token: facts.token, ttl: '1h' }],
      certificateKey: facts.certificateKey,
      localAPIEndpoint: { advertiseAddress: address, bindPort: 6443 },
      nodeRegistration: registration(name, address),
    },
    {
      apiVersion: api,
      kind: 'ClusterConfiguration',
      kubernetesVersion: `v${facts.kubernetesVersion}`,
      controlPlaneEndpoint: `${facts.controlPlane}:6443`,
      etcd: { local: { imageTag: `${facts.etcdVersion}-0` } },
      networking: { podSubnet: '10.244.0.0/16', serviceSubnet: '10.96.0.0/12' },
    },
    {
      apiVersion: 'kubelet.config.k8s.io/v1beta1',
      kind: 'KubeletConfiguration',
      cgroupDriver: facts.cgroupDriver,
      failCgroupV1: false,
      failSwapOn: false,
      imageGCHighThresholdPercent: 100,
      evictionHard: { 'memory.available': '100Mi', 'nodefs.available': '2%', 'imagefs.available': '2%' },
    },
    {
      apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
      kind: 'KubeProxyConfiguration',
      mode: 'nftables',
      conntrack: { maxPerCore: 0, min: 0 },
    },
  ])
}

export function joinConfiguration(
  facts: KubeadmFacts,
  name: string,
  address: string,
  role: 'master' | 'node',
): string {
  return documents([
    {
      apiVersion: api,
      kind: 'JoinConfiguration',
      discovery: {
        bootstrapToken: {
          apiServerEndpoint: `${facts.controlPlane}:6443`,
          token: facts.token,
          unsafeSkipCAVerification: true,
        },
      },
      nodeRegistration: registration(name, address),
      ...(role === 'master'
        ? {
            controlPlane: {
              localAPIEndpoint: { advertiseAddress: address, bindPort: 6443 },
              certificateKey: facts.certificateKey,
            },
          }
        : {}),
    },
  ])
}

/** A pod network on each machine by itself, there from the start: kubeadm never waits for one to be installed. */
export function podNetwork(index: number): string {
  return JSON.stringify({
    cniVersion: '1.0.0',
    name: 'bench',
    plugins: [
      {
        type: 'ptp',
        ipMasq: true,
        ipam: {
          type: 'host-local',
          ranges: [[{ subnet: `10.244.${index}.0/24` }]],
          routes: [{ dst: '0.0.0.0/0' }],
        },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  })
}
