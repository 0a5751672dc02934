import { ports } from '../constants.ts'
import type { EtcdName } from '../spec/types.ts'
import { type MemberFlags, memberFlags } from './member-flags.ts'

/** Without the node's name, which kubelet adds. */
export const podName = (etcd: EtcdName): string => `etcd-${etcd}`

export interface EtcdPod {
  image: string
  member: MemberFlags
  /** On the machine: `MOUNT/CLUSTERID-MEMBERID`. The pod does not start where it is missing. */
  hostDataDir: string
  hostPkiDir: string
}

/** The static pod of one member, as kubelet reads it (JSON is YAML). */
export function renderEtcdPod(pod: EtcdPod): string {
  const { etcd } = pod.member
  const probe = (path: string) => ({
    httpGet: { host: '127.0.0.1', port: ports.etcd[etcd].metrics, path, scheme: 'HTTP' },
  })
  const manifest = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: podName(etcd),
      namespace: 'kube-system',
      labels: { component: podName(etcd), tier: 'control-plane' },
    },
    spec: {
      hostNetwork: true,
      // Out of memory, the kernel ends events before main: kubelet protects every static pod of the first class
      // alike, whatever it requests, and rates those of the other by their requests
      // (k8s.io/kubernetes pkg/kubelet/qos/policy.go). Neither is evicted.
      priorityClassName: etcd === 'main' ? 'system-node-critical' : 'system-cluster-critical',
      securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: 'etcd',
          image: pod.image,
          imagePullPolicy: 'IfNotPresent',
          command: ['etcd', ...memberFlags(pod.member)],
          resources: {
            requests: { cpu: etcd === 'main' ? '200m' : '100m', memory: etcd === 'main' ? '100Mi' : '50Mi' },
          },
          livenessProbe: { ...probe('/livez'), failureThreshold: 8, periodSeconds: 10, timeoutSeconds: 15 },
          readinessProbe: { ...probe('/readyz'), failureThreshold: 3, periodSeconds: 1, timeoutSeconds: 15 },
          startupProbe: { ...probe('/livez'), failureThreshold: 240, periodSeconds: 1, timeoutSeconds: 15 },
          volumeMounts: [
            { name: 'data', mountPath: pod.member.dataDir },
            { name: 'pki', mountPath: pod.member.pkiDir, readOnly: true },
            // kubelet gives host-network pods a copy of /etc/hosts that never changes; this one does.
            { name: 'hosts', mountPath: '/etc/hosts', readOnly: true },
          ],
        },
      ],
      volumes: [
        { name: 'data', hostPath: { path: pod.hostDataDir, type: 'Directory' } },
        { name: 'pki', hostPath: { path: pod.hostPkiDir, type: 'Directory' } },
        { name: 'hosts', hostPath: { path: '/etc/hosts', type: 'File' } },
      ],
    },
  }
  return `${JSON.stringify(manifest, null, 2)}\n`
}
