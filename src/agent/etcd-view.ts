import { readFile } from 'node:fs/promises'
import { type EtcdClient, type EtcdMember, type EtcdStatus, etcdClient } from '../etcd/client.ts'
import { clientUrl } from '../etcd/names.ts'
import type { ClusterView, ViewedMember } from '../quorum/member.ts'
import type { EtcdName } from '../spec/types.ts'
import { etcdFiles } from './etcd-pki.ts'

/** How long a member may take for one answer before it counts as silent. */
const statusTimeoutMs = { forming: 500, formed: 1_500 } as const

/** What the members of one etcd cluster say, asked from one machine. */
export interface EtcdWatch {
  /** Answers of `expected` count before those of any other cluster. */
  view(expected?: string): Promise<
    | {
        view: ClusterView
        members: EtcdMember[]
        clusterId: string
        /** How far the furthest member has come that answered, in entries of the log. */
        applied: number
      }
    | undefined
  >
  /** Asks one member after the other until one can be reached; membership changes go through it. */
  any: EtcdClient
  close(): void
}

interface Answering {
  client: EtcdClient
  status: EtcdStatus
}

interface Listed {
  list: EtcdMember[]
  clusterId: string
  /** The ids of the members that answered a linearizable read. */
  served: ReadonlySet<string>
}

const hasLeader = ({ leaderId }: EtcdStatus): boolean => leaderId !== '0000000000000000'

/** `seats` in the order to ask; the own seat first. */
export async function watchEtcd(
  cluster: string,
  etcd: EtcdName,
  own: string,
  seats: string[],
  phase: 'forming' | 'formed',
): Promise<EtcdWatch> {
  const [ca, cert, key] = await Promise.all(
    [etcdFiles.ca, etcdFiles.clientCert, etcdFiles.clientKey].map((file) => readFile(file, 'utf8')),
  )
  const tls = { ca: ca ?? '', cert: cert ?? '', key: key ?? '' }
  const url = (seat: string): string => clientUrl(cluster, etcd, seat)
  const others = seats.filter((seat) => seat !== own)
  const clients = new Map(
    [own, ...others].map((seat) => [
      seat,
      etcdClient({ ...tls, endpoints: [url(seat)], timeoutMs: statusTimeoutMs[phase] }),
    ]),
  )
  // Another member is asked first: a learner of our own refuses linearizable reads.
  const any = etcdClient({ ...tls, endpoints: [...others, own].map(url), timeoutMs: 10_000 })

  /** Those that answer a linearizable read by themselves, and the first list: by consensus if there is one. */
  async function members(answering: readonly Answering[]): Promise<Listed | undefined> {
    const asked = answering.map(async ({ client, status }) => {
      if (!hasLeader(status)) return undefined
      const list = await client.memberList({ linearizable: true }).catch(() => undefined)
      return list && { ...list, by: status.memberId }
    })
    const strong = (await Promise.all(asked)).flatMap((list) => list ?? [])
    const [first] = strong
    if (first) {
      const { members: list, clusterId } = first
      return { list, clusterId, served: new Set(strong.map(({ by }) => by)) }
    }
    for (const { client } of answering) {
      const answer = await client.memberList({ linearizable: false }).catch(() => undefined)
      if (answer) return { list: answer.members, clusterId: answer.clusterId, served: new Set() }
    }
    return undefined
  }

  return {
    any,
    close() {
      for (const client of [...clients.values(), any]) client.close()
    },
    async view(expected) {
      const asked = [...clients.values()].map(async (client): Promise<Answering[]> => {
        const status = await client.status().catch(() => undefined)
        return status ? [{ client, status }] : []
      })
      const answering = (await Promise.all(asked)).flat()
      const isOther = ({ status }: Answering): boolean =>
        expected !== undefined && status.clusterId !== expected
      const found = await members(answering.sort((a, b) => Number(isOther(a)) - Number(isOther(b))))
      if (!found) return undefined
      const states = answering
        .map(({ status }) => status)
        .filter(({ clusterId }) => clusterId === found.clusterId)
      const viewed = found.list.map((member): ViewedMember => {
        const state = states.find(({ memberId }) => memberId === member.id)
        // Knowing a leader is not enough: a member can hear it and yet not be heard.
        const healthy = member.isLearner
          ? state !== undefined && hasLeader(state)
          : found.served.has(member.id)
        return {
          id: member.id,
          name: member.name,
          isLearner: member.isLearner,
          answers: state !== undefined,
          healthy,
          // etcd itself refuses a promotion that comes too early.
          ...(member.isLearner ? { caughtUp: healthy } : {}),
        }
      })
      return {
        view: {
          clusterId: found.clusterId,
          quorum: found.served.size > 0,
          // An empty etcd is at revision 1; nothing is written before the first apiserver starts.
          written: states.some(({ revision }) => revision > 1),
          members: viewed,
        },
        members: found.list,
        clusterId: found.clusterId,
        applied: Math.max(0, ...states.map(({ raftAppliedIndex }) => raftAppliedIndex)),
      }
    },
  }
}
