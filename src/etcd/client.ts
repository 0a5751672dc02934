import { type EtcdConnection, type Gateway, openGateway } from './gateway.ts'
import { type EtcdId, idFromWire, idToWire } from './ids.ts'
import { saveSnapshot } from './snapshot.ts'

export { EtcdError, type EtcdErrorKind } from './errors.ts'
export type { EtcdConnection } from './gateway.ts'

export interface EtcdMember {
  id: EtcdId
  /** Empty until the member has started once. */
  name: string
  peerUrls: string[]
  clientUrls: string[]
  isLearner: boolean
}

export interface EtcdStatus {
  clusterId: EtcdId
  memberId: EtcdId
  /** `0000000000000000` when it knows of no leader. */
  leaderId: EtcdId
  version: string
  dbSizeBytes: number
  dbSizeInUseBytes: number
  revision: number
  raftTerm: number
  raftIndex: number
  raftAppliedIndex: number
  isLearner: boolean
  errors: string[]
}

export interface EtcdAlarm {
  memberId: EtcdId
  type: 'NONE' | 'NOSPACE' | 'CORRUPT'
}

export interface EtcdKeyValue {
  key: string
  value: string
  createRevision: number
  modRevision: number
  version: number
}

export interface EtcdClient {
  /** `linearizable: false` asks only this member, so it answers without quorum too. */
  memberList(options?: { linearizable?: boolean }): Promise<{ clusterId: EtcdId; members: EtcdMember[] }>
  memberAdd(member: { peerUrls: string[]; isLearner?: boolean }): Promise<EtcdMember>
  memberRemove(id: EtcdId): Promise<void>
  memberPromote(id: EtcdId): Promise<void>
  /** Of the one member that answers. */
  status(): Promise<EtcdStatus>
  alarms(): Promise<EtcdAlarm[]>
  disarm(alarm: EtcdAlarm): Promise<void>
  /** Hash of all keys up to `revision` (0: all); equal on all members when they hold the same. */
  hashKv(revision?: number): Promise<{ hash: number; hashRevision: number; compactRevision: number }>
  /** Sent to the leader only. */
  moveLeader(target: EtcdId): Promise<void>
  /** Blocks that member while it runs: one member at a time. */
  defragment(timeoutMs?: number): Promise<void>
  compact(revision: number, options?: { physical?: boolean }): Promise<void>
  put(key: string, value: string): Promise<number>
  get(key: string, options?: { serializable?: boolean }): Promise<EtcdKeyValue | undefined>
  /** Keys with this prefix, in order. `count` is of all of them, whatever the limit. */
  range(
    prefix: string,
    options?: {
      limit?: number
      keysOnly?: boolean
      countOnly?: boolean
      serializable?: boolean
      revision?: number
    },
  ): Promise<{ items: EtcdKeyValue[]; count: number; revision: number }>
  delete(key: string, options?: { prefix?: boolean }): Promise<number>
  /** Writes a snapshot to `path` (atomic, 0600), its checksum checked. */
  snapshot(path: string, timeoutMs?: number): Promise<{ sizeBytes: number; sha256: string }>
  close(): void
}

/** A thin client of etcd's JSON gateway. All failures are EtcdError. */
export function etcdClient(connection: EtcdConnection): EtcdClient {
  const gateway = openGateway(connection)
  return { ...membership(gateway), ...maintenance(gateway), ...keyValues(gateway), close: gateway.close }
}

/** The gateway leaves out whatever is zero, empty or false; 64-bit numbers are strings. */
interface WireMember {
  ID?: string
  name?: string
  peerURLs?: string[]
  clientURLs?: string[]
  isLearner?: boolean
}

interface WireHeader {
  cluster_id?: string
  member_id?: string
  revision?: string
}

const memberFromWire = (member: WireMember): EtcdMember => ({
  id: idFromWire(member.ID),
  name: member.name ?? '',
  peerUrls: member.peerURLs ?? [],
  clientUrls: member.clientURLs ?? [],
  isLearner: member.isLearner ?? false,
})

function membership(gateway: Gateway) {
  return {
    async memberList(options: { linearizable?: boolean } = {}) {
      const answer = await gateway.call<{ header?: WireHeader; members?: WireMember[] }>(
        '/v3/cluster/member/list',
        {
          linearizable: options.linearizable ?? true,
        },
      )
      return {
        clusterId: idFromWire(answer.header?.cluster_id),
        members: (answer.members ?? []).map(memberFromWire),
      }
    },
    async memberAdd(member: { peerUrls: string[]; isLearner?: boolean }) {
      const answer = await gateway.call<{ member?: WireMember }>('/v3/cluster/member/add', {
        peerURLs: member.peerUrls,
        isLearner: member.isLearner ?? false,
      })
      return memberFromWire(answer.member ?? {})
    },
    async memberRemove(id: EtcdId) {
      await gateway.call('/v3/cluster/member/remove', { ID: idToWire(id) })
    },
    async memberPromote(id: EtcdId) {
      await gateway.call('/v3/cluster/member/promote', { ID: idToWire(id) })
    },
  }
}

interface WireStatus {
  header?: WireHeader
  version?: string
  dbSize?: string
  dbSizeInUse?: string
  leader?: string
  raftIndex?: string
  raftTerm?: string
  raftAppliedIndex?: string
  errors?: string[]
  isLearner?: boolean
}

function maintenance(gateway: Gateway) {
  return {
    async status(): Promise<EtcdStatus> {
      const answer = await gateway.call<WireStatus>('/v3/maintenance/status')
      return {
        clusterId: idFromWire(answer.header?.cluster_id),
        memberId: idFromWire(answer.header?.member_id),
        leaderId: idFromWire(answer.leader),
        version: answer.version ?? '',
        dbSizeBytes: Number(answer.dbSize ?? 0),
        dbSizeInUseBytes: Number(answer.dbSizeInUse ?? 0),
        revision: Number(answer.header?.revision ?? 0),
        raftTerm: Number(answer.raftTerm ?? 0),
        raftIndex: Number(answer.raftIndex ?? 0),
        raftAppliedIndex: Number(answer.raftAppliedIndex ?? 0),
        isLearner: answer.isLearner ?? false,
        errors: answer.errors ?? [],
      }
    },
    async alarms(): Promise<EtcdAlarm[]> {
      const answer = await gateway.call<{ alarms?: { memberID?: string; alarm?: EtcdAlarm['type'] }[] }>(
        '/v3/maintenance/alarm',
        { action: 'GET' },
      )
      return (answer.alarms ?? []).map((alarm) => ({
        memberId: idFromWire(alarm.memberID),
        type: alarm.alarm ?? 'NONE',
      }))
    },
    async disarm(alarm: EtcdAlarm) {
      await gateway.call('/v3/maintenance/alarm', {
        action: 'DEACTIVATE',
        memberID: idToWire(alarm.memberId),
        alarm: alarm.type,
      })
    },
    async hashKv(revision = 0) {
      const answer = await gateway.call<{ hash?: number; hash_revision?: string; compact_revision?: string }>(
        '/v3/maintenance/hashkv',
        { revision: String(revision) },
      )
      return {
        hash: answer.hash ?? 0,
        hashRevision: Number(answer.hash_revision ?? 0),
        compactRevision: Number(answer.compact_revision ?? 0),
      }
    },
    async moveLeader(target: EtcdId) {
      await gateway.call('/v3/maintenance/transfer-leadership', { targetID: idToWire(target) })
    },
    async defragment(timeoutMs = 60_000) {
      await gateway.call('/v3/maintenance/defragment', {}, timeoutMs)
    },
    snapshot: (path: string, timeoutMs = 300_000) => saveSnapshot(gateway, path, timeoutMs),
  }
}

interface WireKeyValue {
  key?: string
  value?: string
  create_revision?: string
  mod_revision?: string
  version?: string
}

const encode = (text: string): string => Buffer.from(text).toString('base64')
const decode = (base64: string | undefined): string => Buffer.from(base64 ?? '', 'base64').toString('utf8')

const keyValueFromWire = (item: WireKeyValue): EtcdKeyValue => ({
  key: decode(item.key),
  value: decode(item.value),
  createRevision: Number(item.create_revision ?? 0),
  modRevision: Number(item.mod_revision ?? 0),
  version: Number(item.version ?? 0),
})

/** The key right behind all keys with this prefix; `\0` stands for "no end". */
function prefixEnd(prefix: string): string {
  const bytes = Buffer.from(prefix)
  for (let at = bytes.length - 1; at >= 0; at -= 1) {
    const byte = bytes[at] ?? 0
    if (byte === 0xff) continue
    bytes[at] = byte + 1
    return bytes.subarray(0, at + 1).toString('base64')
  }
  return encode('\0')
}

function keyValues(gateway: Gateway) {
  type RangeOptions = Parameters<EtcdClient['range']>[1]
  const range = async (body: object) => {
    const answer = await gateway.call<{ header?: WireHeader; kvs?: WireKeyValue[]; count?: string }>(
      '/v3/kv/range',
      body,
    )
    return {
      items: (answer.kvs ?? []).map(keyValueFromWire),
      count: Number(answer.count ?? 0),
      revision: Number(answer.header?.revision ?? 0),
    }
  }
  return {
    async put(key: string, value: string) {
      const answer = await gateway.call<{ header?: WireHeader }>('/v3/kv/put', {
        key: encode(key),
        value: encode(value),
      })
      return Number(answer.header?.revision ?? 0)
    },
    async get(key: string, options: { serializable?: boolean } = {}) {
      return (await range({ key: encode(key), serializable: options.serializable ?? false })).items[0]
    },
    range: (prefix: string, options: RangeOptions = {}) =>
      range({
        key: encode(prefix === '' ? '\0' : prefix),
        range_end: prefixEnd(prefix),
        limit: String(options.limit ?? 0),
        keys_only: options.keysOnly ?? false,
        count_only: options.countOnly ?? false,
        serializable: options.serializable ?? false,
        revision: String(options.revision ?? 0),
        sort_order: 'ASCEND',
      }),
    async delete(key: string, options: { prefix?: boolean } = {}) {
      const answer = await gateway.call<{ deleted?: string }>('/v3/kv/deleterange', {
        key: encode(key),
        ...(options.prefix ? { range_end: prefixEnd(key) } : {}),
      })
      return Number(answer.deleted ?? 0)
    },
    async compact(revision: number, options: { physical?: boolean } = {}) {
      await gateway.call('/v3/kv/compaction', {
        revision: String(revision),
        physical: options.physical ?? false,
      })
    },
  }
}
