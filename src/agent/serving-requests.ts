import type { Machine } from '../clouds/cloud.ts'
import type { KubeApi, KubeObject } from '../controlplane/api.ts'
import { messageOf } from '../errors.ts'
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

/** What requests that were not signed ask for, by their uid: to read one takes a process. */
export type KnownRequests = Map<string, RequestedNames>

/**
 * Signs what may be signed; the rest waits for an operator, or for its machine to be listed, and is
 * reported. Returns why. `known` is for the next call: it keeps no more than what still waits.
 */
export async function approveServingRequests(
  api: Pick<KubeApi, 'list' | 'replace'>,
  machines: readonly Pick<Machine, 'id' | 'address'>[],
  known: KnownRequests,
  read: (pem: string) => Promise<RequestedNames> = requestedNamesApart,
): Promise<string[]> {
  const { items } = await api.list<SigningRequest>(
    `${path}?fieldSelector=${encodeURIComponent('spec.signerName=kubernetes.io/kubelet-serving')}`,
  )
  const waiting = items.filter(({ status }) => !status?.conditions?.length)
  const uids = new Set(waiting.map(uidOf))
  for (const uid of known.keys()) if (!uids.has(uid)) known.delete(uid)
  const refused: string[] = []
  for (const request of waiting) {
    const why = await whyNot(request, machines, known, read)
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

async function whyNot(
  request: SigningRequest,
  machines: readonly Pick<Machine, 'id' | 'address'>[],
  known: KnownRequests,
  read: (pem: string) => Promise<RequestedNames>,
): Promise<string | undefined> {
  const { username, usages, request: encoded } = request.spec
  try {
    const names = known.get(uidOf(request)) ?? (await read(Buffer.from(encoded, 'base64').toString('utf8')))
    known.set(uidOf(request), names)
    return refusalOf(username, usages, names, machines)
  } catch (error) {
    return `what it asks for cannot be read: ${messageOf(error)}`
  }
}

const uidOf = (request: SigningRequest): string => request.metadata?.uid ?? ''
