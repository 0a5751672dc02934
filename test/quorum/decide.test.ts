import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  type Disk,
  decideMember,
  type MemberObservation,
  type ViewedMember,
} from '../../src/quorum/member.ts'
import type { Genesis, MemberRecord, Stamp } from '../../src/quorum/records.ts'
import { inWords } from './in-words.ts'

/*
 * What a member does next, case by case: testdata/decide-*.txt. A case is
 *
 *   = ROW: TITLE               ROW names a line of the table, as in `rows` below
 *   …what is seen, one fact a line…
 *   -> STEP: REASON            as `inWords` prints it
 *
 * Facts; what is not said is as after `:=`.
 *   seat SEAT epoch N                            := seat a epoch 1      the claim
 *   genesis forming|formed GEN/ATTEMPT of SEATS  := formed 1/1 of a,b,c; or `genesis none`, `genesis unknown`
 *   record STATE [MEMBER VOLUME EPOCH]           := record unused
 *   disk unproven REASON… | disk empty VOLUME    := disk empty vol-a
 *   disk VOLUME holds MEMBER present|none|corrupt [KEY=VALUE …]          other words of its stamp:
 *        noRoom (to set it aside) uuid=ours etcd=main seat=a volumeId=VOLUME epoch=1 generation=1 attempt=1 clusterId=C formed
 *   store away                                   := it answers
 *   running no|founding|pod                      := running no
 *   cluster quorum|no-quorum [CLUSTER [written]] := nobody answers, nothing written
 *   member ID NAME|- voter|learner healthy|away|unserved  := none; learners that are healthy have caught up
 *   stalled SECONDS after RESTARTS [silent|follows] := it is not
 *   recorded IDS   lost IDS   sign TEXT…   declared SEATS|-   founder ID   grace over
 *        := every listed member is recorded, none lost, no sign, declared a,b,c, founder FA, grace not over
 *   connections open                             := the others' to the machine before have ended
 */
const rows = [
  'not-proven',
  'refuse',
  'rolled-back',
  'older',
  'signs',
  'nothing',
  'seat-unused',
  'founder-data',
  'founder-empty',
  'majority',
  'mine',
  'stuck',
  'corrupt-or-removed',
  'learner-empty',
  'orphan',
  'rejoin',
  'no-quorum',
]

interface Case {
  row: string
  title: string
  observation: MemberObservation
  expected: string
}

const folder = join(import.meta.dirname, 'testdata')
const cases = readdirSync(folder)
  .filter((file) => /^decide-.*\.txt$/.test(file))
  .sort()
  .flatMap((file) => readFileSync(join(folder, file), 'utf8').split(/^= /m).slice(1))
  .map(parseCase)

test.each(cases)('$row: $title', ({ observation, expected }) => {
  const frozen = JSON.stringify(observation)

  const step = decideMember(observation)

  expect(`-> ${inWords(step)}`).toBe(expected)
  expect(JSON.stringify(observation)).toBe(frozen)
})

test('every row of the table has a case', () => {
  const covered = new Set(cases.map(({ row }) => row))

  expect([...covered].sort()).toEqual([...rows].sort())
})

test('a reason is a sentence that says what it is about', () => {
  for (const { observation } of cases) {
    const { reason } = decideMember(observation)
    expect(reason.length).toBeGreaterThan(10)
    expect(reason).not.toMatch(/undefined|\[object/)
  }
})

function parseCase(text: string): Case {
  const [head = '', ...lines] = text.trim().split('\n')
  const [row = '', title = ''] = head.split(/: (.*)/)
  const answer = lines.findIndex((line) => line.startsWith('->'))
  const facts = lines.slice(0, answer).filter((line) => line.trim() !== '')
  return { row, title, observation: parseFacts(facts), expected: lines.slice(answer).join('\n') }
}

function parseFacts(lines: readonly string[]): MemberObservation {
  const members: ViewedMember[] = []
  const signs: string[] = []
  let cluster: { quorum: boolean; clusterId?: string; written: boolean } | undefined
  let recorded: string[] | undefined
  let stalled: MemberObservation['stalled']
  const seen = {
    seat: 'a',
    etcd: 'main',
    claimEpoch: 1,
    disk: { kind: 'empty', volumeId: 'vol-a' } as Disk,
    genesis: genesisOf('formed', '1/1', 'a,b,c') as MemberObservation['genesis'],
    storeReachable: true,
    record: { state: 'unused', epoch: 0 } as MemberRecord,
    declaredSeats: ['a', 'b', 'c'],
    running: 'no' as MemberObservation['running'],
    lostMemberIds: [] as string[],
    formationGraceOver: false,
    deadConnectionsEnded: true,
    founderId: 'FA',
  }
  for (const line of lines) {
    const [fact, ...words] = line.trim().split(/\s+/)
    const [one = '', two = '', three = '', four = ''] = words
    const text = words.join(' ')
    if (fact === 'seat') Object.assign(seen, { seat: one, claimEpoch: Number(three) })
    else if (fact === 'genesis') {
      seen.genesis = one === 'none' || one === 'unknown' ? one : genesisOf(one as 'forming', two, four)
    } else if (fact === 'record') {
      const record: MemberRecord = { state: one as MemberRecord['state'], epoch: Number(four) }
      seen.record = two ? { ...record, memberId: two, volumeId: three } : record
    } else if (fact === 'disk') seen.disk = diskOf(one, words)
    else if (fact === 'store') seen.storeReachable = false
    else if (fact === 'stalled')
      stalled = {
        ms: Number(one) * 1000,
        restarts: Number(three),
        silent: four === 'silent',
        follows: four === 'follows',
      }
    else if (fact === 'running') seen.running = one as 'pod'
    else if (fact === 'cluster') {
      const written = line.trim().endsWith(' written')
      cluster = { quorum: one === 'quorum', ...(two ? { clusterId: two } : {}), written }
    } else if (fact === 'member') {
      const isLearner = three === 'learner'
      const healthy = four === 'healthy'
      const caughtUp = isLearner ? { caughtUp: healthy } : {}
      const answers = four !== 'away'
      members.push({ id: one, name: two === '-' ? '' : two, isLearner, answers, healthy, ...caughtUp })
    } else if (fact === 'recorded') recorded = one === '-' ? [] : one.split(',')
    else if (fact === 'lost') seen.lostMemberIds = one.split(',')
    else if (fact === 'sign') signs.push(text)
    else if (fact === 'declared') seen.declaredSeats = one === '-' ? [] : one.split(',')
    else if (fact === 'founder') seen.founderId = one
    else if (fact === 'grace') seen.formationGraceOver = true
    else if (fact === 'connections') seen.deadConnectionsEnded = false
    else throw new Error(`no such fact: ${line}`)
  }
  return {
    ...seen,
    signsOfFormation: signs,
    recordedMemberIds: recorded ?? members.map(({ id }) => id),
    ...(stalled ? { stalled } : {}),
    ...(cluster ? { cluster: { ...cluster, members } } : {}),
  }
}

function genesisOf(phase: 'forming' | 'formed', version: string, founders: string): Genesis {
  const [generation = 1, attempt = 1] = version.split('/').map(Number)
  return { uuid: 'ours', generation, attempt, phase, founders: founders.split(',') }
}

function diskOf(kind: string, words: readonly string[]): Disk {
  if (kind === 'unproven') return { kind: 'not-proven', reason: words.slice(1).join(' ') }
  if (kind === 'empty') return { kind: 'empty', volumeId: words[1] ?? '' }
  const [volumeId = '', , memberId = '', data = '', ...others] = words
  const said = Object.fromEntries(others.map((word) => word.split('=')))
  const stamp: Stamp = {
    uuid: said.uuid ?? 'ours',
    etcd: said.etcd ?? 'main',
    seat: said.seat ?? 'a',
    volumeId: said.volumeId ?? volumeId,
    epoch: Number(said.epoch ?? 1),
    generation: Number(said.generation ?? 1),
    attempt: Number(said.attempt ?? 1),
    memberId,
    clusterId: said.clusterId ?? 'C',
    ...('formed' in said ? { formed: true as const } : {}),
  }
  return {
    kind: 'stamped',
    volumeId,
    stamp,
    data: data as 'present',
    ...(data === 'corrupt' ? { detail: 'walpb: crc mismatch' } : {}),
    ...('noRoom' in said ? { noRoom: '1.0 GiB is free and a new copy takes 2.0 GiB' } : {}),
  }
}
