import { clusterId, memberId } from '../etcd/ids.ts'
import { peerUrl } from '../etcd/names.ts'
import { etcdToken, type Genesis, type MemberRecord, type SeatRecord } from '../quorum/records.ts'
import type { EtcdName, InstanceGroupSpec } from '../spec/types.ts'
import { keys } from '../store/keys.ts'
import { changeSeat } from './claim.ts'
import type { AgentContext } from './context.ts'
import { parseYaml } from './yaml.ts'

/** One etcd member of one seat: what observing and acting share. */
export interface EtcdSeat {
  context: AgentContext
  cluster: string
  seat: string
  etcd: EtcdName
  image: string
}

/** Changes this member's part of the seat's record. */
export const changeMember = (at: EtcdSeat, change: Partial<MemberRecord>): Promise<SeatRecord> =>
  changeSeat(at.context, at.seat, (old) => ({
    ...old,
    members: { ...old.members, [at.etcd]: { ...old.members[at.etcd], ...change } },
  }))

/** The ids that etcd will give the founders: known before any of them starts. */
export function founderIds(at: EtcdSeat, genesis: Genesis): { mine: string; clusterId: string } {
  const token = etcdToken(genesis)
  const ids = new Map(
    genesis.founders.map((seat) => [seat, memberId([peerUrl(at.cluster, at.etcd, seat)], token)]),
  )
  return { mine: ids.get(at.seat) ?? '', clusterId: clusterId([...ids.values()]) }
}

/** `https://a.main.example.com.internal:2380` → `a`. */
export const seatOfPeerUrl = (url: string): string => new URL(url).hostname.split('.')[0] ?? ''

/** Seats of every declared master group that is meant to have a machine. */
export async function declaredSeats(context: AgentContext): Promise<string[]> {
  const prefix = keys.groups(context.identity.cluster)
  return (await context.store.entries(prefix))
    .map(({ value }) => parseYaml(value) as InstanceGroupSpec)
    .filter(({ spec }) => spec.role === 'master' && spec.size > 0)
    .flatMap(({ spec }) => spec.seat ?? [])
    .sort()
}
