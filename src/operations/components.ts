/** systemd's units of a machine, by the words of users. */
export const units: Record<string, string> = {
  agent: 'holdfast-agent',
  kubelet: 'kubelet',
  containerd: 'containerd',
}

/** Static pods, and those that every cluster has. */
export const pods = [
  'etcd-main',
  'etcd-events',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kube-proxy',
  'coredns',
]

/** Whose log can be asked for. */
export const components = [...Object.keys(units), 'system', ...pods]
