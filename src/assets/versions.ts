import { HoldfastError } from '../errors.ts'

/** Every component of one Kubernetes version, without a leading `v`. */
export interface ComponentVersions {
  readonly kubernetes: string
  readonly etcd: string
  readonly containerd: string
  readonly coredns: string
  readonly cni: string
  readonly pause: string
}

/**
 * As `kubeadm config images list` names them for that version; containerd 2.x as kubelet wants it.
 * etcd is the newest patch of the minor version kubeadm names (3.6.8): before 3.6.9 a linearizable read
 * may return what was true before a change of leader (etcd-io/etcd#20418).
 */
const known: readonly ComponentVersions[] = [
  {
    kubernetes: '1.36.3',
    etcd: '3.6.16',
    containerd: '2.2.0',
    coredns: '1.14.2',
    cni: '1.9.1',
    pause: '3.10.2',
  },
]

/** The components that belong to a Kubernetes version; throws `kubernetes-version-unsupported`. */
export function componentVersions(kubernetesVersion: string): ComponentVersions {
  const wanted = kubernetesVersion.replace(/^v/, '')
  const found = known.find((versions) => versions.kubernetes === wanted)
  if (found) return found
  const supported = known.map((versions) => versions.kubernetes).join(', ')
  throw new HoldfastError(
    'kubernetes-version-unsupported',
    `There are no assets for Kubernetes ${kubernetesVersion}.`,
    { remedy: `Choose one of: ${supported}.`, exitCode: 2 },
  )
}

/** Go's and the official releases' name of this processor; throws `architecture-unsupported`. */
export function architecture(arch: string = process.arch): 'amd64' | 'arm64' {
  if (arch === 'x64') return 'amd64'
  if (arch === 'arm64') return 'arm64'
  throw new HoldfastError('architecture-unsupported', `Machines cannot be made for the processor ${arch}.`, {
    remedy: 'Use an amd64 or arm64 host.',
  })
}
