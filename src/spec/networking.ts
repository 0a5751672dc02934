import { nearest, orList } from './nearest.ts'
import type { ClusterSpec } from './types.ts'

export type NetworkingKind = ClusterSpec['spec']['networking']['kind']
export const NETWORKING_KINDS: readonly NetworkingKind[] = ['vxlan', 'routed', 'cni']

/** Answered by `vxlan`, which does the same and is alive; the user is always told. */
const unmaintained = ['kopeio-vxlan', 'kopeio', 'weave']
/** Known to kops' users, and nothing that Holdfast installs by itself. */
const notYet = [
  'flannel',
  'flannel-vxlan',
  'flannel-udp',
  'calico',
  'canal',
  'cilium',
  'cilium-etcd',
  'cilium-eni',
  'kube-router',
  'amazonvpc',
  'amazon-vpc-routed-eni',
  'lyftvpc',
  'gce',
  'kubenet',
  'kindnet',
  'romana',
]

export type NetworkingChoice =
  | { kind: NetworkingKind; warning?: { message: string; remedy: string } }
  | { error: { message: string; remedy: string } }

/** What a networking word, ours or kops', stands for. */
export function networkingChoice(word: string): NetworkingChoice {
  const known = NETWORKING_KINDS.find((kind) => kind === word)
  if (known) return { kind: known }
  if (unmaintained.includes(word))
    return {
      kind: 'vxlan',
      warning: {
        message: `${word} is no longer maintained: vxlan is declared in its place and does the same`,
        remedy: 'Write vxlan to have this said no more.',
      },
    }
  if (notYet.includes(word))
    return {
      error: {
        message: `${word} is not there yet`,
        remedy: `Use vxlan, or cni and install ${word} yourself once the API answers.`,
      },
    }
  const meant = nearest(word, NETWORKING_KINDS)
  return {
    error: {
      message: `"${word}" is no networking that is known`,
      remedy: `${meant ? `Did you mean ${meant}? ` : ''}There is ${orList(NETWORKING_KINDS)}.`,
    },
  }
}
