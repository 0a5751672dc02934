import { readFile } from 'node:fs/promises'
import { type EtcdClient, type EtcdMember, etcdClient } from '../etcd/client.ts'
import { clientUrl } from '../etcd/names.ts'
import type { ClusterView, ViewedMember } from '../quorum/member.ts'
import type { EtcdName } from '../spec/types.ts'
import { etcdFiles } from './etcd-pki.ts'

/** How long a member may take to tell its state before it counts as not healthy. */
const statusTimeoutMs = { forming: 500, formed: 1_500 } as const

/** What the members of one etcd cluster say, asked from one machine. */
export interface EtcdWatch {
  /** Answers of `expected` count before those of any other cluster. */
  view(
    expected?: string,
  ): Promise<{ view: ClusterView; members: EtcdMember[]; clusterId: string } | undefined>
  /** Asks one member after the other until one can be reached; membership changes go through it. */
  any: EtcdClient
  close(): void
}

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

  async function members(
    expected: string | undefined,
  ): Promise<{ linearizable: boolean; list: EtcdMember[]; clusterId: string } | undefined> {
    const ask = async (linearizable: boolean) => {
      const answers = [...clients.values()].map(async (client) => {
        const { members: list, clusterId } = await client.memberList({ linearizable })
        return { linearizable, list, clusterId }
      })
      const ours = answers.map(async (answer) => {
        const found = await answer
        if (expected !== undefined && found.clusterId !== expected) throw new Error('another cluster')
        return found
      })
      return Promise.any(ours)
        .catch(() => Promise.any(answers))
        .catch(() => undefined)
    }
    const [strong, weak] = [ask(true), ask(false)]
    return (await strong) ?? (await weak)
  }

  return {
    any,
    close() {
      for (const client of [...clients.values(), any]) client.close()
    },
    async view(expected) {
      const found = await members(expected)
      if (!found) return undefined
      const states = await Promise.all(
        [...clients.values()].map((client) => client.status().catch(() => undefined)),
      )
      const viewed = found.list.map((member): ViewedMember => {
        const state = states.find((status) => status?.memberId === member.id)
        const healthy = state !== undefined && state.leaderId !== '0000000000000000'
        return {
          id: member.id,
          name: member.name,
          isLearner: member.isLearner,
          healthy,
          // etcd itself refuses a promotion that comes too early.
          ...(member.isLearner ? { caughtUp: healthy } : {}),
        }
      })
      return {
        view: {
          clusterId: found.clusterId,
          quorum: found.linearizable,
          // An empty etcd is at revision 1; nothing is written before the first apiserver starts.
          written: states.some((state) => state?.clusterId === found.clusterId && state.revision > 1),
          members: viewed,
        },
        members: found.list,
        clusterId: found.clusterId,
      }
    },
  }
}
