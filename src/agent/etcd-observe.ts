import { stat } from 'node:fs/promises'
import type { Disk, MemberObservation, ViewedMember } from '../quorum/member.ts'
import { etcdToken, type Genesis, type SeatRecord } from '../quorum/records.ts'
import { keys } from '../store/keys.ts'
import { readSeats } from './claim.ts'
import { findCorruption } from './corruption.ts'
import { etcdFiles } from './etcd-pki.ts'
import { runningAs } from './etcd-process.ts'
import { changeMember, declaredSeats, type EtcdSeat, founderIds } from './etcd-seat.ts'
import { progressOf, watchStall } from './etcd-stall.ts'
import { type EtcdWatch, watchEtcd } from './etcd-view.ts'
import { lookAtDisk, mountVolume, stampFile } from './volumes.ts'

/** Founders that are late are waited for this long after a majority is healthy. */
const graceMs = 10_000

/**
 * Since this agent's start, which is after the death of the machine before. With `tcp_retries2` at 2 a connection
 * ends three seconds after the first data that is not acknowledged; those who vote for a new leader send their
 * first more than a second after the death.
 */
const deadConnectionsMs = 4_000

const recentMs = 2_000

type Viewed = NonNullable<Awaited<ReturnType<EtcdWatch['view']>>>

/** What one look found: the observation to decide on, and what acting needs besides. */
export interface Seen {
  observation: MemberObservation
  genesis: { value: Genesis; revision: number } | undefined
  members: readonly { peerUrls: string[] }[]
  seat: SeatRecord
}

export interface Observer {
  /** Looks at store, disk, process and members; or says why there is nothing to look at yet. */
  look(): Promise<Seen | { waiting: string }>
  /** Clients of the members that the last look saw; undefined before there is a genesis. */
  clients(): EtcdWatch | undefined
  /** The member's process was just ended because it was stuck. */
  restarted(): void
}

export function observeEtcd(at: EtcdSeat): Observer {
  const { context, cluster, seat, etcd } = at
  const stall = watchStall(() => progressOf(etcd))
  let majority: { attempt: string; since: number } | undefined
  let watch: { key: string; etcd: EtcdWatch } | undefined
  let lastView: { phase: Genesis['phase']; viewed: Viewed | undefined; atMs: number } | undefined

  async function watchSeats(phase: Genesis['phase'], seats: readonly string[]): Promise<EtcdWatch> {
    // Clients read the certificate when they are made: with a renewed one they are made anew.
    const { mtimeMs } = await stat(etcdFiles.clientCert)
    const key = `${phase}: ${seats.join()} ${mtimeMs}`
    if (watch?.key !== key) {
      watch?.etcd.close()
      watch = { key, etcd: await watchEtcd(cluster, etcd, seat, [...seats], phase) }
    }
    return watch.etcd
  }

  /**
   * Founders that started sooner take connections but answer nothing before they are a majority: each look
   * at them takes its whole time. What was seen a moment ago is good enough until the own member starts.
   */
  async function viewOf(
    phase: Genesis['phase'],
    seats: readonly string[],
    expected: string | undefined,
    running: 'no' | 'founding' | 'pod',
  ): Promise<Viewed | undefined> {
    const isRecent = lastView?.phase === phase && performance.now() - lastView.atMs < recentMs
    if (lastView && isRecent && phase === 'forming' && running === 'no') return lastView.viewed
    const viewed = await (await watchSeats(phase, seats)).view(expected)
    lastView = { phase, viewed, atMs: performance.now() }
    return viewed
  }

  async function look(): Promise<Seen | { waiting: string }> {
    const all = await readSeats(context)
    const own = all.find(({ record }) => record.seat === seat)
    if (!own) return { waiting: `seat ${seat} has no record` }
    if (own.record.machine !== context.identity.machineId) {
      return { waiting: `seat ${seat} is held by ${own.record.machine} now` }
    }
    const recalled = await context.store.recall(keys.genesis(cluster, etcd))
    const genesis = recalled.stored && (JSON.parse(recalled.stored.value) as Genesis)
    const record = own.record.members[etcd]
    const mount = await mountVolume(context, seat, etcd, record, (volumeId) => changeMember(at, { volumeId }))
    const disk: Disk =
      'waiting' in mount
        ? { kind: 'not-proven', reason: mount.waiting }
        : await lookAtDisk(etcd, mount.volumeId)
    const running = await runningAs(etcd)
    const seats = all.map((one) => one.record)
    const names = seats.map((one) => one.seat).sort()
    // What the others say changes nothing about a founder that is to become a pod, and while all of them
    // do, an answer takes long.
    const becomesPod = running === 'founding' && genesis?.phase === 'formed'
    const viewed =
      genesis && !becomesPod
        ? await viewOf(
            genesis.phase,
            names,
            disk.kind === 'stamped' ? disk.stamp.clusterId : undefined,
            running,
          )
        : undefined
    const attempt = viewed?.view.quorum && genesis ? etcdToken(genesis) : undefined
    if (attempt !== majority?.attempt)
      majority = attempt === undefined ? undefined : { attempt, since: performance.now() }
    const runs = viewed !== undefined && running === 'pod' && disk.kind === 'stamped'
    const stalled = await stall.look({
      healthy: runs && isHealthy(viewed.view.members, disk.stamp.memberId),
      quorum: runs && viewed.view.quorum,
      others: viewed?.applied ?? 0,
    })
    return {
      genesis:
        genesis && recalled.stored ? { value: genesis, revision: recalled.stored.revision } : undefined,
      members: viewed?.members ?? [],
      seat: own.record,
      observation: {
        seat,
        etcd,
        claimEpoch: own.record.epoch,
        disk: await withCorruption(disk, running === 'pod', viewed?.view.members ?? []),
        genesis: genesis ?? (recalled.fresh ? 'none' : 'unknown'),
        storeReachable: recalled.fresh && all.every(({ fresh }) => fresh),
        record,
        signsOfFormation: [
          ...seats
            .filter((one) => one.seat !== seat && one.members[etcd].memberId)
            .map((one) => `seat ${one.seat} has a member`),
          ...(recalled.rolledBack ? ['this machine has seen a newer genesis'] : []),
          ...(recalled.fresh && !genesis ? await backupsOf(at) : []),
        ],
        declaredSeats: recalled.fresh && !genesis ? await declaredSeats(context) : [],
        running,
        ...(viewed ? { cluster: viewed.view } : {}),
        ...(stalled ? { stalled } : {}),
        lostMemberIds: seats
          .map((one) => one.members[etcd])
          .flatMap((one) => (one.state === 'lost' && one.memberId ? [one.memberId] : [])),
        recordedMemberIds: seats.flatMap((one) => one.members[etcd].memberId ?? []),
        formationGraceOver: majority !== undefined && performance.now() - majority.since > graceMs,
        deadConnectionsEnded: performance.now() > deadConnectionsMs,
        ...(genesis ? { founderId: founderIds(at, genesis).mine } : {}),
      },
    }
  }

  async function withCorruption(disk: Disk, isPod: boolean, members: readonly ViewedMember[]): Promise<Disk> {
    if (disk.kind !== 'stamped' || !isPod || disk.data !== 'present') return disk
    if (isHealthy(members, disk.stamp.memberId)) return disk
    const detail = await findCorruption(etcd, stampFile(etcd))
    return detail ? { ...disk, data: 'corrupt', detail } : disk
  }

  return { look, clients: () => watch?.etcd, restarted: stall.restarted }
}

const isHealthy = (members: readonly ViewedMember[], id: string): boolean =>
  members.find((member) => member.id === id)?.healthy ?? false

/** A backup shows that there was a cluster. */
async function backupsOf({ context, cluster, etcd }: EtcdSeat): Promise<string[]> {
  const backups = await context.store.list(keys.backups(cluster, etcd))
  return backups.length > 0 ? [`the store holds backups of etcd ${etcd}`] : []
}
