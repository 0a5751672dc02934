/** Syntax of names, labels and taints as Kubernetes has them (RFC 1123). */
export const DNS_LABEL = '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'
export const DNS_NAME = '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'
export const TAINT_EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'] as const

const dnsLabel = new RegExp(DNS_LABEL)
const dnsName = new RegExp(DNS_NAME)
const qualified = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/

/** What is wrong with a DNS-1123 label, as the end of a sentence; undefined when nothing is. */
export function labelFault(name: string, longest = 63): string | undefined {
  if (name === '') return 'is empty'
  if (name.length > longest) return `has ${name.length} characters; at most ${longest} are allowed`
  if (dnsLabel.test(name)) return undefined
  return 'may hold only lower-case letters, digits and "-", and must start and end with a letter or digit'
}

/** The same for a DNS name with dots. Every part is at most 63 characters long. */
export function dnsNameFault(name: string, longest = 253): string | undefined {
  if (name === '') return 'is empty'
  if (name.length > longest) return `has ${name.length} characters; at most ${longest} are allowed`
  if (!dnsName.test(name))
    return 'may hold only lower-case letters, digits, "-" and ".", and every part must start and end with a letter or digit'
  const long = name.split('.').find((part) => part.length > 63)
  return long ? `has a part of ${long.length} characters; at most 63 are allowed` : undefined
}

/** `[prefix/]name`, as in https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/ */
export function labelKeyFault(key: string): string | undefined {
  const parts = key.split('/')
  if (parts.length > 2) return 'has more than one "/"'
  const name = parts.at(-1) ?? ''
  const prefix = parts.length === 2 ? parts[0] : undefined
  if (prefix !== undefined && dnsNameFault(prefix)) return `has the prefix "${prefix}", which is no DNS name`
  if (name === '') return 'has no name'
  if (name.length > 63) return 'has a name of more than 63 characters'
  return qualified.test(name)
    ? undefined
    : `has the name "${name}", which is not made of letters, digits, "-", "_" and "."`
}

export function labelValueFault(value: string): string | undefined {
  if (value.length > 63) return 'is longer than 63 characters'
  return value === '' || qualified.test(value)
    ? undefined
    : 'may hold only letters, digits, "-", "_" and ".", and must start and end with a letter or digit'
}

/**
 * A kubelet may label its own node under kubernetes.io and k8s.io with a few names only
 * (admission plugin NodeRestriction), so a machine with another one would never register.
 */
export function reservedLabel(key: string): boolean {
  const prefix = key.includes('/') ? (key.split('/')[0] ?? '') : ''
  const within = (domain: string) => prefix === domain || prefix.endsWith(`.${domain}`)
  if (!within('kubernetes.io') && !within('k8s.io')) return false
  return !within('node.kubernetes.io') && !within('kubelet.kubernetes.io')
}
