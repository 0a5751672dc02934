import { describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import {
  apiserverNames,
  controlPlanePatches,
  controlPlaneTaint,
  kubeletFlags,
  type MasterFacts,
  renderInitConfiguration,
} from '../../src/controlplane/kubeadm-config.ts'
import type { ClusterSpec } from '../../src/spec/types.ts'

const cluster: ClusterSpec = {
  apiVersion: 'holdfast.dev/v1',
  kind: 'Cluster',
  metadata: { name: 'demo' },
  spec: {
    cloud: 'local',
    kubernetesVersion: '1.36.3',
    zones: ['a', 'b', 'c'],
    topology: 'public',
    networking: {
      kind: 'vxlan',
      podCidr: '10.244.0.0/16',
      serviceCidr: '10.96.0.0/16',
      clusterDomain: 'cluster.local',
    },
    egress: 'none',
    api: { port: 6443, extraNames: ['k8s.example.com'] },
    etcd: {
      main: { volumeSizeGib: 4, quotaBytes: 2 ** 31 },
      events: { volumeSizeGib: 2, quotaBytes: 2 ** 30 },
    },
    cloudLabels: {},
  },
}

const facts: MasterFacts = {
  cluster,
  nodeName: 'master-a-x1y2z',
  zone: 'a',
  address: '10.0.0.1',
  endpoint: { address: '10.0.0.254', port: 8443 },
  resolvConf: '/etc/resolv.conf',
  cgroupDriver: 'cgroupfs',
  nodeLabels: { 'holdfast.dev/group': 'master-a' },
  taints: [],
}

interface Argument {
  name: string
  value: string
}

const documents = parseAllDocuments(renderInitConfiguration(facts, '/etc/holdfast/patches')).map((one) =>
  'toJS' in one ? one.toJS() : undefined,
)
const of = (kind: string) => documents.find((one) => one?.kind === kind)
const argument = (list: Argument[], name: string) => list.find((one) => one.name === name)?.value

describe('kubeadm configuration', () => {
  test('is four documents that YAML can read', () => {
    expect(documents.map((one) => one?.kind)).toEqual([
      'InitConfiguration',
      'ClusterConfiguration',
      'KubeletConfiguration',
      'KubeProxyConfiguration',
    ])
    expect(of('InitConfiguration').apiVersion).toBe('kubeadm.k8s.io/v1beta4')
  })

  test('the node has the machine’s name, is tainted at registration and never labels itself a master', () => {
    const { nodeRegistration } = of('InitConfiguration')
    const labels = argument(nodeRegistration.kubeletExtraArgs, 'node-labels')

    expect(nodeRegistration.name).toBe('master-a-x1y2z')
    expect(nodeRegistration.taints).toEqual([controlPlaneTaint])
    expect(labels).toContain('topology.kubernetes.io/zone=a')
    expect(labels).not.toContain('node-role.kubernetes.io')
  })

  test('a version is named: kubeadm never asks the internet for one', () => {
    expect(of('ClusterConfiguration').kubernetesVersion).toBe('v1.36.3')
  })

  test('the apiserver talks to its own machine’s etcd, events apart', () => {
    const { etcd, apiServer } = of('ClusterConfiguration')

    expect(etcd.external.endpoints).toEqual(['https://127.0.0.1:2379'])
    expect(argument(apiServer.extraArgs, 'etcd-servers-overrides')).toBe('/events#https://127.0.0.1:4002')
  })

  test('every name and address of the endpoint is in the certificate from the first day', () => {
    const { apiServer, controlPlaneEndpoint } = of('ClusterConfiguration')

    expect(controlPlaneEndpoint).toBe('10.0.0.254:8443')
    expect(apiServer.certSANs).toEqual(
      expect.arrayContaining(['10.0.0.254', '127.0.0.1', 'localhost', 'k8s.example.com', 'api.demo']),
    )
    expect(
      apiserverNames({ ...cluster, spec: { ...cluster.spec, api: { ...cluster.spec.api, dnsName: 'x.y' } } }),
    ).toContain('x.y')
  })

  test.each(['controllerManager', 'scheduler'])('%s leads at most 13.5 s after another died', (component) => {
    const { extraArgs } = of('ClusterConfiguration')[component]
    const seconds = (name: string) => Number.parseInt(argument(extraArgs, `leader-elect-${name}`) ?? '', 10)

    expect(seconds('lease-duration')).toBe(10)
    expect(seconds('renew-deadline')).toBeLessThan(seconds('lease-duration'))
    expect(seconds('retry-period')).toBe(1)
  })

  test('both kinds of control groups work, and serving certificates are asked for', () => {
    expect(of('KubeletConfiguration')).toMatchObject({
      cgroupDriver: 'cgroupfs',
      failCgroupV1: false,
      serverTLSBootstrap: true,
      rotateCertificates: true,
    })
    expect(of('KubeProxyConfiguration').mode).toBe('nftables')
  })
})

describe('patches', () => {
  test('all three probes of the apiserver leave events out', () => {
    const patch = JSON.parse(controlPlanePatches()['kube-apiserver0+strategic.json'] ?? '')
    const [container] = patch.spec.containers

    for (const probe of ['livenessProbe', 'readinessProbe', 'startupProbe']) {
      const { path } = container[probe].httpGet
      expect(path).toContain('exclude=etcd-override-0')
      expect(path).toContain('exclude=etcd-override-readiness-0')
    }
    expect(container.readinessProbe.httpGet.path).toMatch(/^\/readyz\?/)
    expect(container.livenessProbe.httpGet.path).toMatch(/^\/livez\?/)
  })

  test('are named as kubeadm reads them', () => {
    for (const name of Object.keys(controlPlanePatches())) {
      expect(name).toMatch(/^kube-(apiserver|controller-manager|scheduler)\d*\+strategic\.json$/)
    }
  })
})

test('kubelet’s labels of a group come besides the zone', () => {
  expect(kubeletFlags(facts)).toEqual({
    'node-ip': '10.0.0.1',
    'node-labels': 'topology.kubernetes.io/zone=a,holdfast.dev/group=master-a',
  })
})
