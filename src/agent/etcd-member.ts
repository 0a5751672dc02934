import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../errors.ts'
import { EtcdError } from '../etcd/errors.ts'
import { clusterId, memberId } from '../etcd/ids.ts'
import type { MemberFlags } from '../etcd/member-flags.ts'
import { peerUrl } from '../etcd/names.ts'
import { type Disk, decideMember, type MemberObservation, type MemberStep } from '../quorum/member.ts'
import { etcdToken, type Genesis, type SeatRecord, type Stamp } from '../quorum/records.ts'
import { ETCD_NAMES, type EtcdName, type InstanceGroupSpec } from '../spec/types.ts'
import { keys } from '../store/keys.ts'
import { acquireLock } from '../store/lock.ts'
import { StoreConflictError, StoreUnavailableError } from '../store/store.ts'
import { changeSeat, readSeat, readSeats } from './claim.ts'
import { type AgentContext, folders } from './context.ts'
import { findCorruption } from './corruption.ts'
import { runningAs, startFounding, startPod, stopEtcd } from './etcd-process.ts'
import { type EtcdWatch, watchEtcd } from './etcd-view.ts'
import { dataDir, lookAtDisk, mountVolume, setAside, stampDisk } from './volumes.ts'
import { parseYaml } from './yaml.ts'

const graceMs = 10_000
const lockTtlMs = 30_000
const busyPauseMs = 250
const idlePauseMs = 4_000

/** One etcd member of this machine's seat: observe, decide, act, for ever. */
export interface EtcdMemberLoop {
  /** True from the moment that the member votes in a formed cluster. */
  readonly votes: boolean
  /** The last step, for the heartbeat. */
  readonly last: MemberStep | undefined
  /** Looks again at once. */
  nudge(): void
}

interface Seen {
  observation: MemberObservation
  genesis: { value: Genesis; revision: number } | undefined
  members: { name: string; peerUrls: string[] }[]
  viewClusterId: string | undefined
  seat: SeatRecord
}

export function runEtcdMember(
  context: AgentContext,
  seat: string,
  etcd: EtcdName,
  image: string,
  ready: Promise<void>,
): EtcdMemberLoop {
  const cluster = context.identity.cluster
  const part = `etcd ${etcd}`
  let votes = false
  let last: MemberStep | undefined
  let majoritySince: number | undefined
  let watch: { key: string; etcd: EtcdWatch } | undefined
  let wake = (): void => {}

  async function seatsToAsk(): Promise<string[]> {
    const records = await readSeats(context)
    return [...new Set([seat, ...records.map((record) => record.seat)])].sort()
  }

  async function watchSeats(): Promise<EtcdWatch> {
    const seats = await seatsToAsk()
    const key = seats.join(',')
    if (watch?.key !== key) {
      watch?.etcd.close()
      watch = { key, etcd: await watchEtcd(cluster, etcd, seat, seats) }
    }
    return watch.etcd
  }

  async function observe(): Promise<Seen | { waiting: string }> {
    const seenSeat = await readSeat(context, seat)
    if (!seenSeat) return { waiting: `seat ${seat} has no record` }
    if (seenSeat.record.machine !== context.identity.machineId) {
      return { waiting: `seat ${seat} is held by ${seenSeat.record.machine} now` }
    }
    const recalled = await context.store.recall(keys.genesis(cluster, etcd))
    const genesis = recalled.stored && (JSON.parse(recalled.stored.value) as Genesis)
    const seats = await readSeats(context)
    const record = seenSeat.record.members[etcd]
    const mount = await mountVolume(context, seat, etcd, record)
    const disk: Disk =
      'waiting' in mount
        ? { kind: 'not-proven', reason: mount.waiting }
        : await lookAtDisk(etcd, mount.volumeId)
    const running = await runningAs(etcd)
    const viewed = genesis ? await (await watchSeats()).view() : undefined
    const healthy = viewed?.view.members.filter((member) => member.healthy).length ?? 0
    if (viewed?.view.quorum && healthy > 0) majoritySince ??= Date.now()
    const others = seats.filter((one) => one.seat !== seat)
    return {
      genesis:
        genesis && recalled.stored ? { value: genesis, revision: recalled.stored.revision } : undefined,
      members: viewed?.members ?? [],
      viewClusterId: viewed?.clusterId,
      seat: seenSeat.record,
      observation: {
        seat,
        etcd,
        claimEpoch: seenSeat.record.epoch,
        disk: await withCorruption(disk, running, viewed?.view.members ?? []),
        genesis: genesis ?? (recalled.fresh ? 'none' : 'unknown'),
        storeReachable: recalled.fresh && seenSeat.fresh,
        record,
        signsOfFormation: [
          ...others.filter((one) => one.members[etcd].memberId).map((one) => `seat ${one.seat} has a member`),
          ...(recalled.rolledBack ? ['this machine has seen a newer genesis'] : []),
        ],
        declaredSeats: recalled.fresh && !genesis ? await declaredSeats(context) : [],
        running,
        ...(viewed ? { cluster: viewed.view } : {}),
        lostMemberIds: seats
          .map((one) => one.members[etcd])
          .flatMap((one) => (one.state === 'lost' && one.memberId ? [one.memberId] : [])),
        recordedMemberIds: seats.flatMap((one) => one.members[etcd].memberId ?? []),
        formationGraceOver: majoritySince !== undefined && Date.now() - majoritySince > graceMs,
        ...(genesis ? { founderId: founderIds(cluster, etcd, genesis).get(seat) ?? '' } : {}),
      },
    }
  }

  async function withCorruption(
    disk: Disk,
    running: 'no' | 'founding' | 'pod',
    members: readonly { id: string; healthy: boolean }[],
  ): Promise<Disk> {
    if (disk.kind !== 'stamped' || running !== 'pod' || disk.data !== 'present') return disk
    const me = members.find((member) => member.id === disk.stamp.memberId)
    if (me?.healthy) return disk
    const detail = await findCorruption(etcd)
    return detail ? { ...disk, data: 'corrupt', detail } : disk
  }

  function flags(seen: Seen, genesis: Genesis, dir: string): MemberFlags {
    const initial = Object.fromEntries(
      seen.members.length > 0 && genesis.phase === 'formed'
        ? seen.members.map((member) => {
            const url = member.peerUrls[0] ?? ''
            return [seatOfPeerUrl(url), url]
          })
        : genesis.founders.map((founder) => [founder, peerUrl(cluster, etcd, founder)]),
    ) as Record<string, string>
    return {
      cluster,
      etcd,
      seat,
      address: context.identity.address,
      dataDir: dir,
      pkiDir: folders.etcdPki,
      quotaBytes: context.cluster.spec.etcd[etcd].quotaBytes,
      token: etcdToken(genesis),
      initialCluster: initial[seat] ? initial : { ...initial, [seat]: peerUrl(cluster, etcd, seat) },
      initialState: 'existing',
    }
  }

  const record = (change: Partial<SeatRecord['members']['main']>): Promise<SeatRecord> =>
    changeSeat(context, seat, (old) => ({
      ...old,
      members: { ...old.members, [etcd]: { ...old.members[etcd], ...change } },
    }))

  /** The epoch on the disk, then in the record, then the claim once more: only then may the member start. */
  async function fence(seen: Seen, stamp: Stamp): Promise<Stamp> {
    const fenced = { ...stamp, epoch: seen.seat.epoch }
    if (stamp.epoch < fenced.epoch) await stampDisk(etcd, fenced)
    if (seen.observation.storeReachable && seen.seat.members[etcd].epoch !== fenced.epoch) {
      await record({ epoch: fenced.epoch, volumeId: stamp.volumeId })
    }
    return fenced
  }

  function newStamp(seen: Seen, genesis: Genesis, ids: { memberId: string; clusterId: string }): Stamp {
    const { disk } = seen.observation
    const volumeId = disk.kind === 'not-proven' ? '' : disk.volumeId
    const { uuid, generation, attempt } = genesis
    return { uuid, etcd, seat, volumeId, epoch: seen.seat.epoch, generation, attempt, ...ids }
  }

  async function act(step: MemberStep, seen: Seen): Promise<void> {
    const { disk } = seen.observation
    const genesis = seen.genesis
    const genesisKey = keys.genesis(cluster, etcd)
    switch (step.do) {
      case 'create-genesis': {
        const made: Genesis = {
          uuid: randomUUID(),
          generation: 1,
          attempt: 1,
          phase: 'forming',
          founders: [...step.founders],
        }
        await context.store.put(genesisKey, JSON.stringify(made), { ifAbsent: true })
        return
      }
      case 'record-founding': {
        if (!genesis || disk.kind === 'not-proven') return
        const ids = founderIds(cluster, etcd, genesis.value)
        const mine = ids.get(seat) ?? ''
        await record({ state: 'founding', memberId: mine, volumeId: disk.volumeId, epoch: seen.seat.epoch })
        await stampDisk(
          etcd,
          newStamp(seen, genesis.value, { memberId: mine, clusterId: clusterId([...ids.values()]) }),
        )
        return
      }
      case 'found':
      case 'start': {
        if (!genesis || disk.kind !== 'stamped') return
        const stamp = 'changesRefused' in step ? disk.stamp : await fence(seen, disk.stamp)
        const hostDir = dataDir(etcd, stamp)
        if (step.do === 'found') return startFounding(flags(seen, genesis.value, hostDir))
        return startPod(flags(seen, genesis.value, '/var/lib/etcd'), image, hostDir)
      }
      case 'new-attempt':
        if (!genesis) return
        await context.store.put(
          genesisKey,
          JSON.stringify({ ...genesis.value, attempt: genesis.value.attempt + 1 }),
          { ifRevision: genesis.revision },
        )
        return
      case 'record-formed':
        if (!genesis) return
        await context.store.put(genesisKey, JSON.stringify({ ...genesis.value, phase: 'formed' }), {
          ifRevision: genesis.revision,
        })
        return
      case 'set-aside':
        if (disk.kind !== 'stamped') return
        await stopEtcd(etcd)
        await setAside(etcd, disk.stamp)
        // While forming, the seat founds again; once formed it joins under a new id.
        if (genesis?.value.phase === 'forming') await record({ state: 'unused' })
        return
      case 'mark-lost':
        await record({ state: 'lost' })
        return
      case 'record-voter':
        await record({ state: 'voter', memberId: step.id })
        return
      case 'remove-members':
      case 'add-learner':
      case 'promote':
        await underLock(step)
    }
  }

  /** Looks and decides again under the lock: what was true before may not be true any more. */
  async function underLock(intended: MemberStep): Promise<void> {
    const taken = await acquireLock(context.store, keys.lock(cluster, `membership-${etcd}`), {
      holder: context.identity.machineId,
      ttlMs: lockTtlMs,
    })
    if (!taken.acquired) {
      context.say(part, `${intended.do}: the membership lock is held by ${taken.heldBy.holder}`)
      return
    }
    try {
      const seen = await observe()
      if ('waiting' in seen) return
      const step = decideMember(seen.observation)
      const { any } = await watchSeats()
      if (!(await taken.lock.stillHeld())) return
      if (step.do === 'remove-members') {
        for (const id of step.ids) await any.memberRemove(id)
      } else if (step.do === 'promote') {
        await any.memberPromote(step.id)
      } else if (step.do === 'add-learner' && seen.genesis) {
        const added = await any.memberAdd({ peerUrls: [peerUrl(cluster, etcd, seat)], isLearner: true })
        const found = (await any.memberList()).clusterId
        const { disk } = seen.observation
        const volumeId = disk.kind === 'not-proven' ? '' : disk.volumeId
        await record({ state: 'learner', memberId: added.id, volumeId, epoch: seen.seat.epoch })
        await stampDisk(etcd, newStamp(seen, seen.genesis.value, { memberId: added.id, clusterId: found }))
      }
    } finally {
      await taken.lock.release().catch(() => {})
    }
  }

  async function turn(): Promise<boolean> {
    const seen = await observe()
    if ('waiting' in seen) {
      context.say(part, seen.waiting)
      return false
    }
    const step = decideMember(seen.observation)
    if (step.do !== last?.do || step.reason !== last.reason) {
      context.say(part, step.do === 'idle' ? undefined : `${step.do}: ${step.reason}`)
    }
    last = step
    const { disk, cluster: view, genesis } = seen.observation
    if (typeof genesis === 'object' && genesis.phase === 'formed' && disk.kind === 'stamped') {
      const me = view?.members.find((member) => member.id === disk.stamp.memberId)
      // Without an answer from anybody the member may still be a voter: its apiserver decides by its own health.
      votes = me
        ? !me.isLearner
        : seen.observation.record.state === 'voter' || seen.observation.record.state === 'founding'
    }
    if (step.do === 'idle') return seen.observation.running === 'pod' && view !== undefined
    if (['wait', 'refuse', 'stop'].includes(step.do)) return false
    await act(step, seen)
    return false
  }

  const loop = async (): Promise<never> => {
    await ready
    for (;;) {
      let calm = false
      try {
        calm = await turn()
      } catch (error) {
        const expected =
          error instanceof StoreConflictError ||
          error instanceof StoreUnavailableError ||
          error instanceof EtcdError
        context.say(part, expected ? error.message : `unexpected: ${messageOf(error)}`)
        await sleep(busyPauseMs)
      }
      const woken = new Promise<void>((resolve) => {
        wake = resolve
      })
      await Promise.race([sleep(calm ? idlePauseMs : busyPauseMs), woken])
    }
  }
  void loop()
  return {
    get votes() {
      return votes
    },
    get last() {
      return last
    },
    nudge: () => wake(),
  }
}

/** `https://a.main.example.com.internal:2380` → `a`. */
const seatOfPeerUrl = (url: string): string => new URL(url).hostname.split('.')[0] ?? ''

function founderIds(cluster: string, etcd: EtcdName, genesis: Genesis): Map<string, string> {
  const token = etcdToken(genesis)
  return new Map(genesis.founders.map((seat) => [seat, memberId([peerUrl(cluster, etcd, seat)], token)]))
}

/** Seats of every declared master group that is meant to have a machine. */
async function declaredSeats(context: AgentContext): Promise<string[]> {
  const prefix = keys.groups(context.identity.cluster)
  const groups = await Promise.all((await context.store.list(prefix)).map((key) => context.store.get(key)))
  return groups
    .flatMap((stored) => (stored ? [parseYaml(stored.value) as InstanceGroupSpec] : []))
    .filter(({ spec }) => spec.role === 'master' && spec.size > 0)
    .flatMap(({ spec }) => spec.seat ?? [])
    .sort()
}

export const etcdNames = ETCD_NAMES
