import { randomUUID } from 'node:crypto'
import type { MemberFlags } from '../etcd/member-flags.ts'
import { peerUrl } from '../etcd/names.ts'
import { decideMember, type MemberStep } from '../quorum/member.ts'
import { etcdToken, type Genesis, type Stamp } from '../quorum/records.ts'
import { keys } from '../store/keys.ts'
import { acquireLock } from '../store/lock.ts'
import { StoreConflictError } from '../store/store.ts'
import { folders } from './context.ts'
import type { Observer, Seen } from './etcd-observe.ts'
import { startFounding, startPod, stopEtcd } from './etcd-process.ts'
import { changeMember, type EtcdSeat, founderIds, seatOfPeerUrl } from './etcd-seat.ts'
import { dataDir, setAside, stampDisk } from './volumes.ts'

const lockTtlMs = 30_000

/** Carries out one step. Killed anywhere in between, the next look decides what is left to do. */
export async function actOn(at: EtcdSeat, observer: Observer, step: MemberStep, seen: Seen): Promise<void> {
  const { context, cluster, etcd } = at
  const { disk } = seen.observation
  const { genesis } = seen
  const genesisKey = keys.genesis(cluster, etcd)
  switch (step.do) {
    case 'create-genesis': {
      const founders = [...step.founders]
      const made: Genesis = { uuid: randomUUID(), generation: 1, attempt: 1, phase: 'forming', founders }
      // Another founder may have been quicker: the next look sees what it wrote.
      await context.store
        .put(genesisKey, JSON.stringify(made), { ifAbsent: true })
        .catch((error: unknown) => {
          if (!(error instanceof StoreConflictError)) throw error
        })
      return
    }
    case 'record-founding': {
      if (!genesis || disk.kind === 'not-proven') return
      const ids = founderIds(at, genesis.value)
      await changeMember(at, {
        state: 'founding',
        memberId: ids.mine,
        volumeId: disk.volumeId,
        epoch: seen.seat.epoch,
      })
      await stampDisk(etcd, newStamp(at, seen, genesis.value, ids.mine, ids.clusterId))
      return
    }
    case 'found':
    case 'start': {
      if (!genesis || disk.kind !== 'stamped') return
      const stamp = 'changesRefused' in step ? disk.stamp : await fence(at, seen, disk.stamp)
      const hostDir = dataDir(etcd, stamp)
      if (step.do === 'found') return startFounding(flags(at, seen, genesis.value, hostDir))
      return startPod(flags(at, seen, genesis.value, '/var/lib/etcd'), at.image, hostDir)
    }
    case 'new-attempt':
    case 'record-formed': {
      if (!genesis) return
      const { value, revision } = genesis
      const next: Genesis =
        step.do === 'new-attempt' ? { ...value, attempt: value.attempt + 1 } : { ...value, phase: 'formed' }
      await context.store.put(genesisKey, JSON.stringify(next), { ifRevision: revision })
      return
    }
    case 'set-aside':
      if (disk.kind !== 'stamped') return
      await stopEtcd(etcd)
      context.say(
        `etcd ${etcd}`,
        `set aside: the former data is in ${await setAside(etcd, disk.stamp)}, until somebody removes that folder`,
      )
      // While forming, the seat founds again; once formed it joins under a new id.
      if (genesis?.value.phase === 'forming') await changeMember(at, { state: 'unused' })
      return
    case 'restart':
      observer.restarted()
      await stopEtcd(etcd)
      return
    case 'mark-lost':
      await changeMember(at, { state: 'lost' })
      return
    case 'record-voter':
      await changeMember(at, { state: 'voter', memberId: step.id })
      return
    case 'remove-members':
    case 'add-learner':
    case 'promote':
      await changeMembership(at, observer, step)
  }
}

/** The epoch on the disk, and that the cluster is formed; then the epoch in the record: only then may the member start. */
async function fence(at: EtcdSeat, seen: Seen, stamp: Stamp): Promise<Stamp> {
  const formed = stamp.formed === true || seen.genesis?.value.phase === 'formed'
  const fenced = { ...stamp, epoch: Math.max(stamp.epoch, seen.seat.epoch), ...(formed ? { formed } : {}) }
  // Also makes the folder for the data again, where it was not made before a kill.
  await stampDisk(at.etcd, fenced)
  if (seen.observation.storeReachable && seen.seat.members[at.etcd].epoch !== fenced.epoch) {
    // Changing the record also proves that the seat is still this machine's.
    await changeMember(at, { epoch: fenced.epoch, volumeId: stamp.volumeId })
  }
  return fenced
}

/** Looks and decides again under the lock: what was true before may not be true any more. */
async function changeMembership(at: EtcdSeat, observer: Observer, intended: MemberStep): Promise<void> {
  const { context, cluster, etcd } = at
  const taken = await acquireLock(context.store, keys.lock(cluster, `membership-${etcd}`), {
    holder: context.identity.machineId,
    ttlMs: lockTtlMs,
  })
  if (!taken.acquired) {
    context.say(`etcd ${etcd}`, `${intended.do}: the membership lock is held by ${taken.heldBy.holder}`)
    return
  }
  try {
    const seen = await observer.look()
    if ('waiting' in seen) return
    const step = decideMember(seen.observation)
    const any = observer.clients()?.any
    if (!any) return
    if (step.do === 'remove-members') {
      for (const id of step.ids) {
        if (!(await taken.lock.stillHeld())) return
        await any.memberRemove(id)
      }
    } else if (step.do === 'promote' && (await taken.lock.stillHeld())) {
      await any.memberPromote(step.id)
    } else if (step.do === 'add-learner' && seen.genesis && (await taken.lock.stillHeld())) {
      const added = await any.memberAdd({ peerUrls: [peerUrl(cluster, etcd, at.seat)], isLearner: true })
      const { clusterId } = await any.memberList()
      const { disk } = seen.observation
      const volumeId = disk.kind === 'not-proven' ? '' : disk.volumeId
      await changeMember(at, { state: 'learner', memberId: added.id, volumeId, epoch: seen.seat.epoch })
      await stampDisk(etcd, newStamp(at, seen, seen.genesis.value, added.id, clusterId))
    }
  } finally {
    await taken.lock.release().catch(() => {})
  }
}

function newStamp(at: EtcdSeat, seen: Seen, genesis: Genesis, memberId: string, clusterId: string): Stamp {
  const { disk } = seen.observation
  const { uuid, generation, attempt } = genesis
  const volumeId = disk.kind === 'not-proven' ? '' : disk.volumeId
  const { etcd, seat } = at
  const formed = genesis.phase === 'formed' ? ({ formed: true } as const) : {}
  return {
    uuid,
    etcd,
    seat,
    volumeId,
    epoch: seen.seat.epoch,
    generation,
    attempt,
    memberId,
    clusterId,
    ...formed,
  }
}

function flags(at: EtcdSeat, seen: Seen, genesis: Genesis, dir: string): MemberFlags {
  const { context, cluster, etcd, seat } = at
  const urls =
    seen.members.length > 0 && genesis.phase === 'formed'
      ? seen.members.flatMap((member) => member.peerUrls[0] ?? [])
      : genesis.founders.map((founder) => peerUrl(cluster, etcd, founder))
  const own = peerUrl(cluster, etcd, seat)
  return {
    cluster,
    etcd,
    seat,
    address: context.identity.address,
    dataDir: dir,
    pkiDir: folders.etcdPki,
    quotaBytes: context.cluster.spec.etcd[etcd].quotaBytes,
    token: etcdToken(genesis),
    initialCluster: Object.fromEntries([...urls, own].map((url) => [seatOfPeerUrl(url), url])),
    initialState: 'existing',
  }
}
