import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { componentVersions } from '../../src/assets/versions.ts'
import { kubernetes } from '../../src/constants.ts'
import { type EtcdClient, type EtcdConnection, EtcdError, etcdClient } from '../../src/etcd/client.ts'
import { clusterId, memberId } from '../../src/etcd/ids.ts'
import {
  type CertificatePair,
  certificateInfo,
  createAuthority,
  issueCertificate,
} from '../../src/pki/certificates.ts'
import { etcdBinaries, freePort, killChild } from './support/etcd.ts'

/**
 * A real etcd on loopback under TLS: names that no resolver knows, as seats have them. etcd resolves
 * its peers by itself, so peers go by address here, clients by name.
 */
const token = 'e2e/1/1'
const seats = ['a', 'b', 'c', 'd'] as const
type Seat = (typeof seats)[number]

let folder = ''
let binaries: { etcd: string; etcdutl: string }
let authority: CertificatePair
let admin: CertificatePair
const ports = new Map<string, number>()
const processes = new Map<Seat, ChildProcess>()
const clients: EtcdClient[] = []

const port = (name: string): number => ports.get(name) ?? 0
const peerUrl = (seat: Seat) => `https://127.0.0.1:${port(`${seat}-peer`)}`
const clientUrl = (seat: Seat) => `https://${seat}.main.e2e.internal:${port(`${seat}-client`)}`

function connect(to: readonly Seat[], extra: Partial<EtcdConnection> = {}): EtcdClient {
  const client = etcdClient({
    endpoints: to.map(clientUrl),
    ca: authority.certPem,
    cert: admin.certPem,
    key: admin.keyPem,
    lookup: (host) => (host.endsWith('.main.e2e.internal') ? '127.0.0.1' : undefined),
    ...extra,
  })
  clients.push(client)
  return client
}

function start(seat: Seat, state: 'new' | 'existing', members: readonly Seat[]): void {
  const at = (name: string) => join(folder, `${seat}-${name}`)
  const child = spawn(
    binaries.etcd,
    [
      `--name=${seat}`,
      `--data-dir=${at('data')}`,
      `--initial-cluster=${members.map((member) => `${member}=${peerUrl(member)}`).join(',')}`,
      `--initial-cluster-state=${state}`,
      `--initial-cluster-token=${token}`,
      `--listen-peer-urls=${peerUrl(seat)}`,
      `--initial-advertise-peer-urls=${peerUrl(seat)}`,
      `--listen-client-urls=https://127.0.0.1:${port(`${seat}-client`)}`,
      `--advertise-client-urls=${clientUrl(seat)}`,
      '--client-cert-auth',
      '--peer-client-cert-auth',
      `--trusted-ca-file=${join(folder, 'ca.crt')}`,
      `--peer-trusted-ca-file=${join(folder, 'ca.crt')}`,
      `--cert-file=${at('tls.crt')}`,
      `--key-file=${at('tls.key')}`,
      `--peer-cert-file=${at('tls.crt')}`,
      `--peer-key-file=${at('tls.key')}`,
      '--heartbeat-interval=50',
      '--election-timeout=500',
      '--log-level=error',
    ],
    { stdio: 'ignore' },
  )
  processes.set(seat, child)
}

async function kill(seat: Seat): Promise<void> {
  const child = processes.get(seat)
  processes.delete(seat)
  await killChild(child)
}

/** Bounded; ends with the last reason. */
async function eventually<T>(action: () => Promise<T>, timeoutMs = 20_000): Promise<T> {
  const until = Date.now() + timeoutMs
  for (;;) {
    try {
      return await action()
    } catch (error) {
      if (Date.now() > until) throw error
      await sleep(100)
    }
  }
}

const kindOf = async (action: Promise<unknown>): Promise<string> => {
  try {
    await action
    return 'no error'
  } catch (error) {
    return error instanceof EtcdError ? error.kind : `untyped: ${error}`
  }
}

async function writeCertificate(seat: Seat): Promise<CertificatePair> {
  const pair = await issueCertificate(authority, {
    commonName: seat,
    dnsNames: [`${seat}.main.e2e.internal`],
    ipAddresses: ['127.0.0.1'],
    usages: 'both',
  })
  writeFileSync(join(folder, `${seat}-tls.crt`), pair.certPem)
  writeFileSync(join(folder, `${seat}-tls.key`), pair.keyPem, { mode: 0o600 })
  return pair
}

/** Serial number of the certificate with which a seat's etcd answers. */
async function servedSerial(seat: Seat): Promise<string> {
  const socket = connectTls({
    port: port(`${seat}-client`),
    host: '127.0.0.1',
    ca: authority.certPem,
    cert: admin.certPem,
    key: admin.keyPem,
  })
  await once(socket, 'secureConnect')
  const { serialNumber } = socket.getPeerCertificate()
  socket.destroy()
  return serialNumber
}

beforeAll(async () => {
  binaries = await etcdBinaries()
  folder = mkdtempSync(join(tmpdir(), 'hf-etcd-'))
  authority = await createAuthority('etcd-ca')
  admin = await issueCertificate(authority, { commonName: 'holdfast', usages: 'client' })
  writeFileSync(join(folder, 'ca.crt'), authority.certPem)
  for (const seat of seats) {
    for (const use of ['peer', 'client']) ports.set(`${seat}-${use}`, await freePort())
    await writeCertificate(seat)
  }
  for (const seat of ['a', 'b', 'c'] as const) start(seat, 'new', ['a', 'b', 'c'])
  await eventually(() => connect(['a']).put('ready', 'yes'))
})

afterAll(async () => {
  for (const client of clients) client.close()
  for (const seat of seats) await kill(seat)
  rmSync(folder, { recursive: true, force: true })
})

describe('etcd client against a real etcd', () => {
  test('the ids of founders are those that we compute', async () => {
    const founders = ['a', 'b', 'c'] as const
    const { clusterId: found, members } = await connect(founders).memberList()

    expect(Object.fromEntries(members.map((member) => [member.name, member.id]))).toEqual(
      Object.fromEntries(founders.map((seat) => [seat, memberId([peerUrl(seat)], token)])),
    )
    expect(found).toBe(clusterId(members.map((member) => member.id)))
    expect(members.every((member) => !member.isLearner && member.clientUrls.length === 1)).toBe(true)
  })

  test('status tells leader, size, revision and term; all members hash the same', async () => {
    const statuses = await Promise.all((['a', 'b', 'c'] as const).map((seat) => connect([seat]).status()))

    expect(new Set(statuses.map((status) => status.leaderId)).size).toBe(1)
    expect(statuses.map((status) => status.memberId)).toContain(statuses[0]?.leaderId)
    for (const status of statuses) {
      expect(status).toMatchObject({
        version: componentVersions(kubernetes.defaultVersion).etcd,
        isLearner: false,
        errors: [],
      })
      expect(status.dbSizeBytes).toBeGreaterThan(0)
      expect(status.raftTerm).toBeGreaterThan(1)
    }
    const revision = statuses[0]?.revision ?? 0
    const hashes = await eventually(() =>
      Promise.all((['a', 'b', 'c'] as const).map((seat) => connect([seat]).hashKv(revision))),
    )
    expect(new Set(hashes.map((hash) => hash.hash)).size).toBe(1)
  })

  test('puts, gets, ranges, counts, deletes and compacts', async () => {
    const client = connect(['a', 'b', 'c'])
    for (const key of ['/x/1', '/x/2', '/x/3', '/y/1']) await client.put(key, `value of ${key} ☃`)

    expect(await client.get('/x/2')).toMatchObject({ key: '/x/2', value: 'value of /x/2 ☃', version: 1 })
    expect(await client.get('/none')).toBeUndefined()
    expect((await client.range('/x/', { limit: 2 })).items.map((item) => item.key)).toEqual(['/x/1', '/x/2'])
    expect(await client.range('/x/', { countOnly: true })).toMatchObject({ items: [], count: 3 })
    expect((await client.range('')).count).toBeGreaterThanOrEqual(4)

    expect(await client.delete('/x/', { prefix: true })).toBe(3)
    const { revision } = await client.status()
    await client.compact(revision, { physical: true })
    expect(await kindOf(client.range('/x/', { revision: 1 }))).toBe('compacted')
    await client.defragment()
    expect(await client.alarms()).toEqual([])
  })

  test('a snapshot is whole and etcdutl agrees', async () => {
    const path = join(folder, 'snapshot.db')
    const saved = await connect(['a']).snapshot(path)

    const said = JSON.parse(
      execFileSync(binaries.etcdutl, ['snapshot', 'status', path, '-w', 'json'], { encoding: 'utf8' }),
    )
    expect(said.totalKey).toBeGreaterThan(0)
    expect(saved.sha256).toBe(execFileSync('sha256sum', [path], { encoding: 'utf8' }).slice(0, 64))
    execFileSync(binaries.etcdutl, ['snapshot', 'restore', path, '--data-dir', join(folder, 'restored')], {
      stdio: 'ignore',
    })
    expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([])
  })

  test('leadership moves to whom it is told', async () => {
    const { leaderId } = await connect(['a']).status()
    const { members } = await connect(['a']).memberList()
    const target = members.find((member) => member.id !== leaderId)
    const leader = members.find((member) => member.id === leaderId)
    await connect([(leader?.name ?? 'a') as Seat]).moveLeader(target?.id ?? '')

    await eventually(async () => expect((await connect(['a']).status()).leaderId).toBe(target?.id))
    expect(await kindOf(connect([(leader?.name ?? 'a') as Seat]).moveLeader(target?.id ?? ''))).toBe(
      'not-leader',
    )
  })

  test('a lost voter is removed, a learner added, started and promoted; errors are told apart', async () => {
    const client = connect(['a', 'b'])
    const lost = memberId([peerUrl('c')], token)
    await kill('c')
    await eventually(() => client.memberRemove(lost))
    expect(await kindOf(client.memberRemove(lost))).toBe('member-not-found')

    const added = await eventually(() => client.memberAdd({ peerUrls: [peerUrl('d')], isLearner: true }))
    expect(added).toMatchObject({ name: '', isLearner: true })
    expect(await kindOf(client.memberAdd({ peerUrls: [peerUrl('d')], isLearner: true }))).toBe(
      'member-exists',
    )
    expect(await kindOf(client.memberAdd({ peerUrls: [peerUrl('c')], isLearner: true }))).toBe(
      'too-many-learners',
    )
    expect(await kindOf(client.memberPromote(added.id))).toBe('learner-not-ready')
    expect(await kindOf(client.memberPromote(memberId([peerUrl('a')], token)))).toBe('member-not-learner')
    expect(await kindOf(client.memberPromote('00000000000000aa'))).toBe('member-not-found')

    mkdirSync(join(folder, 'd-data'), { mode: 0o700 })
    start('d', 'existing', ['a', 'b', 'd'])
    await eventually(async () => expect(await connect(['d']).status()).toMatchObject({ isLearner: true }))
    expect(await kindOf(connect(['d']).get('ready'))).toBe('not-supported-for-learner')
    await eventually(() => client.memberPromote(added.id))

    expect(await eventually(() => connect(['d']).get('ready'))).toMatchObject({ value: 'yes' })
    expect((await client.memberList()).members.every((member) => !member.isLearner)).toBe(true)
  })

  test('with a dead endpoint first, the next one answers', async () => {
    expect((await connect(['c', 'a']).memberList()).members).toHaveLength(3)
    expect(await connect(['c', 'a']).put('ready', 'yes')).toBeGreaterThan(0)
    expect(await kindOf(connect(['c']).status())).toBe('unreachable')
  })

  test('without a client certificate of the authority nobody is let in', async () => {
    const stranger = await issueCertificate(await createAuthority('etcd-ca'), {
      commonName: 'x',
      usages: 'client',
    })

    const status = connect(['a'], { cert: stranger.certPem, key: stranger.keyPem }).status()

    expect(['unreachable', 'timeout']).toContain(await kindOf(status))
  })

  test('a renewed certificate is used for the next connection, without a new start', async () => {
    const { certPem } = await writeCertificate('a')

    expect(await servedSerial('a')).toBe(certificateInfo(certPem).serial)
    expect((await connect(['a']).status()).errors).toEqual([])
  })

  test('a name that is not in the certificate is refused', async () => {
    const endpoints = [`https://wrong.main.e2e.internal:${port('a-client')}`]

    await expect(connect([], { endpoints }).status()).rejects.toMatchObject({
      kind: 'unreachable',
      message: expect.stringContaining('altnames'),
    })
  })

  test('without quorum: a local list still answers, changes end within their time', async () => {
    const wouldLose = connect(['a'])
    await kill('b')
    await sleep(6_000)
    expect(await kindOf(wouldLose.memberAdd({ peerUrls: [peerUrl('c')] }))).toBe('unhealthy-cluster')
    await kill('d')

    expect((await wouldLose.memberList({ linearizable: false })).members).toHaveLength(3)
    const since = Date.now()
    expect(await kindOf(connect(['a'], { timeoutMs: 1_500 }).put('x', 'y'))).toMatch(/timeout|no-leader/)
    expect(Date.now() - since).toBeLessThan(3_000)
    expect(await wouldLose.get('ready', { serializable: true })).toMatchObject({ value: 'yes' })
  })
})
