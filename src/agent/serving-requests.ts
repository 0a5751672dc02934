import type { Machine } from '../clouds/cloud.ts'
import type { KubeApi, KubeObject } from '../controlplane/api.ts'
import { requestedNamesApart } from './certificate-process.ts'

interface SigningRequest extends KubeObject {
  spec: { signerName: string; request: string; username: string; usages: string[] }
  status?: { conditions?: { type: string }[] }
}

const path = '/apis/certificates.k8s.io/v1/certificatesigningrequests'

/** Names and addresses that a request asks for. */
export interface RequestedNames {
  commonName: string
  dnsNames: readonly string[]
  ipAddresses: readonly string[]
}

/**
 * Why a kubelet's serving certificate is not signed, or undefined when it may be: the one who asks is
 * the node itself, its machine is alive, and every name and address is that machine's. Pure.
 */
export function refusalOf(
  username: string,
  usages: readonly string[],
  asked: RequestedNames,
  machines: readonly Pick<Machine, 'id' | 'address'>[],
): string | undefined {
  const machine = machines.find(({ id }) => username === `system:node:${id}`)
  if (!machine) return `${username} is no machine of this cluster`
  if (asked.commonName !== username) return `it is for ${asked.commonName}, asked by ${username}`
  const strange = [
    ...asked.dnsNames.filter((name) => name !== machine.id),
    ...asked.ipAddresses.filter((address) => address !== machine.address),
  ]
  if (strange.length > 0) return `${strange.join(', ')} does not belong to ${machine.id}`
  if (asked.dnsNames.length + asked.ipAddresses.length === 0) return 'it names nothing'
  const allowed = ['key encipherment', 'digital signature', 'server auth']
  const extra = usages.filter((usage) => !allowed.includes(usage))
  return extra.length > 0 ? `it asks for ${extra.join(', ')}` : undefined
}

/** Signs what may be signed; the rest waits for an operator and is reported. Returns why. */
export async function approveServingRequests(api: KubeApi, machines: readonly Machine[]): Promise<string[]> {
  const { items } = await api.list<SigningRequest>(
    `${path}?fieldSelector=${encodeURIComponent('spec.signerName=kubernetes.io/kubelet-serving')}`,
  )
  const refused: string[] = []
  for (const request of items.filter(({ status }) => !status?.conditions?.length)) {
    const names = await requestedNamesApart(Buffer.from(request.spec.request, 'base64').toString('utf8'))
    const why = refusalOf(request.spec.username, request.spec.usages, names, machines)
    if (why) {
      refused.push(`${request.metadata?.name}: ${why}`)
      continue
    }
    await api.replace(`${path}/${request.metadata?.name}/approval`, {
      ...request,
      status: {
        conditions: [
          {
            type: 'Approved',
            status: 'True',
            reason: 'HoldfastChecked',
            message: 'Asked by the node itself, for its own name and address.',
          },
        ],
      },
    })
  }
  return refused
}
