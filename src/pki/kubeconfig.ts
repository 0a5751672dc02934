import { stringify } from 'yaml'

/** Everything one kubeconfig entry needs. */
export interface KubeconfigInput {
  /** Name of the cluster's entry. */
  cluster: string
  /** For example `https://10.1.0.2:6443`. */
  server: string
  caPem: string
  certPem: string
  keyPem: string
  /** Name of the user's entry. */
  user: string
  /** Name of the context; it is also the current one. */
  context: string
}

/** Cluster, user and context of a Holdfast cluster are all called `holdfast-NAME`. */
export const kubeconfigEntryName = (cluster: string): string => `holdfast-${cluster}`

/** A whole kubeconfig file in YAML with one cluster, one user and one context. */
export function renderKubeconfig(input: KubeconfigInput): string {
  return stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      ...entriesOf(input),
      'current-context': input.context,
      preferences: {},
    },
    { lineWidth: 0 },
  )
}

/** The list entries of a kubeconfig, one of each. */
export function entriesOf(input: KubeconfigInput) {
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  const cluster = { server: input.server, 'certificate-authority-data': base64(input.caPem) }
  const user = {
    'client-certificate-data': base64(input.certPem),
    'client-key-data': base64(input.keyPem),
  }
  return {
    clusters: [{ name: input.cluster, cluster }],
    contexts: [{ name: input.context, context: { cluster: input.cluster, user: input.user } }],
    users: [{ name: input.user, user }],
  }
}
