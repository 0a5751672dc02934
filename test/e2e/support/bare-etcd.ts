import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { memberFlags } from '../../../src/etcd/member-flags.ts'
import { etcdBinaries, freePort, killChild } from './etcd.ts'
import { defined, eventually } from './wait.ts'

export const seats = ['a', 'b', 'c'] as const
export type Seat = (typeof seats)[number]

/** As etcd lists it; an id is a decimal number. */
export interface Member {
  ID: string
  peerURLs: string[]
  isLearner?: boolean
}

/** Three members of the etcd that machines run, as processes on loopback without TLS. */
export interface BareEtcd {
  folder: string
  start(seat: Seat, state: 'new' | 'existing', flags: readonly string[], log?: string): ChildProcess
  kill(seat: Seat): Promise<void>
  /** A call of etcd's JSON gateway. @throws with etcd's answer when it is an error. */
  call<T>(seat: Seat, what: string, body: object): Promise<T>
  /** A linearizable read. */
  members(seat: Seat): Promise<Member[]>
  clusterVersion(seat: Seat): Promise<string>
  /** So many entries of a kilobyte. */
  write(count: number): Promise<void>
  /** What `c` has is thrown away; it joins again as a learner, and votes. Returns its new id. */
  replaceC(flags: readonly string[]): Promise<string>
  remove(): Promise<void>
}

/** The flag of the machines' members that matters to what is on the disk. */
export const snapshotFlag: string = defined(
  memberFlags({
    cluster: 'x',
    etcd: 'main',
    seat: 'a',
    address: '127.0.0.1',
    dataDir: '/nowhere',
    pkiDir: '/nowhere',
    quotaBytes: 1,
    token: 'x',
    initialCluster: {},
    initialState: 'new',
  }).find((flag) => flag.startsWith('--snapshot-count=')),
  'flag for snapshots',
)

export async function bareEtcd(): Promise<BareEtcd> {
  const { etcd } = await etcdBinaries()
  const folder = mkdtempSync(join(tmpdir(), 'hf-bare-etcd-'))
  const ports = new Map<string, number>()
  for (const seat of seats) {
    for (const use of ['client', 'peer']) ports.set(`${seat}-${use}`, await freePort())
  }
  const processes = new Map<Seat, ChildProcess>()
  const clientUrl = (seat: Seat): string => `http://127.0.0.1:${ports.get(`${seat}-client`)}`
  const peerUrl = (seat: Seat): string => `http://127.0.0.1:${ports.get(`${seat}-peer`)}`

  function start(
    seat: Seat,
    state: 'new' | 'existing',
    flags: readonly string[],
    log = '/dev/null',
  ): ChildProcess {
    mkdirSync(dirname(log), { recursive: true })
    const output = openSync(log, 'a')
    const words = [
      `--name=${seat}`,
      `--data-dir=${join(folder, seat)}`,
      `--listen-client-urls=${clientUrl(seat)}`,
      `--advertise-client-urls=${clientUrl(seat)}`,
      `--listen-peer-urls=${peerUrl(seat)}`,
      `--initial-advertise-peer-urls=${peerUrl(seat)}`,
      `--initial-cluster=${seats.map((one) => `${one}=${peerUrl(one)}`).join(',')}`,
      `--initial-cluster-state=${state}`,
      '--unsafe-no-fsync',
      '--logger=zap',
      '--log-level=error',
      ...flags,
    ]
    const child = spawn(etcd, words, { stdio: ['ignore', output, output] })
    closeSync(output)
    processes.set(seat, child)
    return child
  }

  async function kill(seat: Seat): Promise<void> {
    const child = processes.get(seat)
    processes.delete(seat)
    await killChild(child)
  }

  async function call<T>(seat: Seat, what: string, body: object): Promise<T> {
    const answer = await fetch(`${clientUrl(seat)}/v3/${what}`, {
      method: 'POST',
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(2_000),
    })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${what}: ${text.slice(0, 200)}`)
    return JSON.parse(text) as T
  }

  async function members(seat: Seat): Promise<Member[]> {
    const list = { linearizable: true }
    return (await call<{ members: Member[] }>(seat, 'cluster/member/list', list)).members
  }

  /** A change whose answer was lost is not made twice: the members' list decides whether it is done. */
  async function change(what: string, body: object, done: (members: Member[]) => boolean): Promise<Member[]> {
    return eventually(`member/${what}`, 30_000, async () => {
      const before = await members('a')
      if (done(before)) return before
      await call('a', `cluster/member/${what}`, body)
      return members('a')
    })
  }

  async function replaceC(flags: readonly string[]): Promise<string> {
    await kill('c')
    const ofC = (list: Member[]): Member | undefined =>
      list.find(({ peerURLs }) => peerURLs.includes(peerUrl('c')))
    // It may have led: the others may first have to choose.
    const before = ofC(await eventually('its id', 20_000, () => members('a')))
    const removed = defined(before, 'member c').ID
    await change('remove', { ID: removed }, (list) => !ofC(list))
    rmSync(join(folder, 'c'), { recursive: true })
    const list = await change(
      'add',
      { peerURLs: [peerUrl('c')], isLearner: true },
      (list) => ofC(list) !== undefined,
    )
    start('c', 'existing', flags)
    const replaced = defined(ofC(list), 'new member c').ID
    await change('promote', { ID: replaced }, (list) => !ofC(list)?.isLearner)
    return replaced
  }

  return {
    folder,
    start,
    kill,
    call,
    members,
    replaceC,
    async clusterVersion(seat) {
      const answer = await fetch(`${clientUrl(seat)}/version`, { signal: AbortSignal.timeout(2_000) })
      return ((await answer.json()) as { etcdcluster: string }).etcdcluster
    },
    async write(count) {
      const value = Buffer.alloc(1024, 'x').toString('base64')
      for (let written = 0; written < count; written += 20) {
        const keys = Array.from({ length: 20 }, (_, index) => Buffer.from(`${index}`).toString('base64'))
        const put = (key: string): Promise<unknown> => call('a', 'kv/put', { key, value })
        await Promise.all(keys.map((key) => eventually('a write', 20_000, () => put(key))))
      }
    },
    async remove() {
      await Promise.all(seats.map(kill))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
