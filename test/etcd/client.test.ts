import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type EtcdClient, EtcdError, etcdClient } from '../../src/etcd/client.ts'
import { type CertificatePair, createAuthority, issueCertificate } from '../../src/pki/certificates.ts'

/** What a real etcd does is in test/e2e/etcd-client.test.ts; here a server misbehaves as etcd cannot be told to. */
let authority: CertificatePair
let pair: CertificatePair
let server: Server
let port: number
let client: EtcdClient
let handler: (request: IncomingMessage, response: ServerResponse) => void
let calls: string[]
let folder = ''

beforeAll(async () => {
  authority = await createAuthority('etcd-ca')
  pair = await issueCertificate(authority, {
    commonName: 'a',
    dnsNames: ['a.internal', 'b.internal'],
    usages: 'both',
  })
})

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hf-etcd-'))
  calls = []
  server = createServer(
    { key: pair.keyPem, cert: pair.certPem, ca: authority.certPem, requestCert: true },
    (request, response) => {
      calls.push(request.url ?? '')
      request.resume().on('end', () => handler(request, response))
    },
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  port = typeof address === 'object' && address ? address.port : 0
  client = connect(['a'])
})
afterEach(() => {
  client.close()
  server.closeAllConnections()
  server.close()
  rmSync(folder, { recursive: true, force: true })
})

const connect = (members: readonly string[], at = [port, port]): EtcdClient =>
  etcdClient({
    endpoints: members.map((member, index) => `https://${member}.internal:${at[index]}`),
    ca: authority.certPem,
    cert: pair.certPem,
    key: pair.keyPem,
    timeoutMs: 1_000,
    lookup: () => '127.0.0.1',
  })

const json = (body: unknown, status = 200) => {
  handler = (_request, response) => response.writeHead(status).end(JSON.stringify(body))
}

describe('numbers and absences', () => {
  test('64-bit ids and left out zeros', async () => {
    json({
      header: { cluster_id: '14841639068965178418', member_id: '10276657743932975437' },
      leader: '0',
      version: '3.6.8',
    })

    expect(await client.status()).toMatchObject({
      clusterId: 'cdf818194e3a8c32',
      memberId: '8e9e05c52164694d',
      leaderId: '0000000000000000',
      raftTerm: 0,
      isLearner: false,
      errors: [],
    })
  })

  test('an answer without members is an empty list', async () => {
    json({})

    expect((await client.memberList()).members).toEqual([])
  })
})

describe('failures', () => {
  test.each([
    ['etcdserver: unhealthy cluster', 14, 'unhealthy-cluster'],
    ['etcdserver: re-configuration failed due to not enough started members', 9, 'unhealthy-cluster'],
    ['etcdserver: can only promote a learner member which is in sync with leader', 9, 'learner-not-ready'],
    ['etcdserver: can only promote a learner member', 9, 'member-not-learner'],
    ['etcdserver: member not found', 5, 'member-not-found'],
    ['etcdserver: mvcc: database space exceeded', 8, 'no-space'],
    ['etcdserver: request timed out', 14, 'timeout'],
    ['context deadline exceeded', 4, 'timeout'],
    ['something new', 2, 'other'],
  ])('%s is %s %s', async (message, code, kind) => {
    json({ error: message, code, message }, 400)

    const failed = client.memberPromote('8e9e05c52164694d')

    await expect(failed).rejects.toBeInstanceOf(EtcdError)
    await expect(failed).rejects.toMatchObject({ kind, grpcCode: code, code: `etcd-${kind}` })
  })

  test('an answer that is no JSON says what came', async () => {
    handler = (_request, response) => response.end('<html>')

    await expect(client.status()).rejects.toMatchObject({
      kind: 'other',
      message: expect.stringContaining('<html>'),
    })
  })

  test('no answer ends in time, with the outcome unknown', async () => {
    handler = () => {}
    const since = Date.now()

    await expect(client.memberRemove('00000000000000aa')).rejects.toMatchObject({ kind: 'timeout' })
    expect(Date.now() - since).toBeLessThan(2_000)
  })

  test('a broken connection: reads are tried again, a change is never sent twice', async () => {
    json({})
    await client.memberList()
    calls.length = 0
    handler = (request) => {
      json({ version: '3.6.8' })
      request.socket.destroy()
    }
    expect((await client.status()).version).toBe('3.6.8')
    expect(calls).toHaveLength(2)

    calls.length = 0
    handler = (request) => request.socket.destroy()
    await expect(client.memberAdd({ peerUrls: ['https://x:2380'] })).rejects.toMatchObject({
      kind: 'timeout',
    })
    expect(calls).toEqual(['/v3/cluster/member/add'])
  })
})

describe('what strict reconfiguration refuses', () => {
  let both: EtcdClient
  let asked: string[]
  beforeEach(() => {
    both = connect(['a', 'b'])
    asked = []
  })
  afterEach(() => both.close())

  const answers = (of: Record<'a' | 'b', object>) => {
    handler = (request, response) => {
      const member = request.headers.host?.startsWith('a.') ? 'a' : 'b'
      asked.push(member)
      response.writeHead('code' in of[member] ? 503 : 200).end(JSON.stringify(of[member]))
    }
  }
  const refusal = { code: 14, message: 'etcdserver: unhealthy cluster' }
  const learner = { peerUrls: ['https://c:2380'], isLearner: true }

  test('at one member, whose connections may be what is wrong, is asked of the next', async () => {
    answers({ a: refusal, b: { member: { ID: '170', isLearner: true } } })

    expect((await both.memberAdd(learner)).id).toBe('00000000000000aa')
    expect(asked).toEqual(['a', 'b'])
  })

  test('at all members stays refused, as the first one said', async () => {
    answers({ a: refusal, b: { ...refusal, message: 'etcdserver: unhealthy cluster, too' } })

    await expect(both.memberRemove('00000000000000aa')).rejects.toMatchObject({
      kind: 'unhealthy-cluster',
      endpoint: expect.stringContaining('a.internal'),
    })
    expect(asked).toEqual(['a', 'b'])
  })

  test('is said, and not that the next member cannot be reached', async () => {
    answers({ a: refusal, b: {} })
    const bDead = connect(['a', 'b'], [port, 1])

    await expect(bDead.memberAdd(learner)).rejects.toMatchObject({ kind: 'unhealthy-cluster' })
    bDead.close()
  })

  test('any other answer is final', async () => {
    answers({ a: { code: 5, message: 'etcdserver: member not found' }, b: {} })

    await expect(both.memberRemove('00000000000000aa')).rejects.toMatchObject({ kind: 'member-not-found' })
    expect(asked).toEqual(['a'])
  })
})

describe('snapshot', () => {
  const send = (content: Buffer, pieces: number) => {
    handler = (_request, response) => {
      for (let i = 0; i < pieces; i += 1) {
        const from = Math.floor((content.length * i) / pieces)
        const blob = content.subarray(from, Math.floor((content.length * (i + 1)) / pieces))
        response.write(
          `${JSON.stringify({ result: { remaining_bytes: '0', blob: blob.toString('base64') } })}\n`,
        )
      }
      response.end()
    }
  }
  const database = randomBytes(50_000)
  const whole = Buffer.concat([database, createHash('sha256').update(database).digest()])

  test.each([1, 2, 7, 5_000])('in %d pieces is saved with its digest, 0600', async (pieces) => {
    send(whole, pieces)
    const path = join(folder, 'snapshot.db')

    const saved = await client.snapshot(path)

    expect(readFileSync(path).equals(whole)).toBe(true)
    expect(saved).toEqual({
      sizeBytes: whole.length,
      sha256: createHash('sha256').update(whole).digest('hex'),
    })
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  test.each([
    ['cut short', whole.subarray(0, -1)],
    ['damaged', Buffer.concat([Buffer.from([1, 2, 3]), whole.subarray(3)])],
    ['empty', Buffer.alloc(0)],
    ['a digest of nothing', createHash('sha256').digest()],
  ])('%s is refused, and no file is left', async (_what, content) => {
    send(content, 3)

    await expect(client.snapshot(join(folder, 'snapshot.db'))).rejects.toMatchObject({
      kind: 'other',
      message: expect.stringContaining('checksum'),
    })
    expect(readdirSync(folder)).toEqual([])
  })

  test("an error in the middle of the stream is etcd's own", async () => {
    handler = (_request, response) => {
      response.write(`${JSON.stringify({ result: { blob: 'AAAA' } })}\n`)
      response.end(`${JSON.stringify({ error: { code: 14, message: 'etcdserver: no leader' } })}\n`)
    }

    await expect(client.snapshot(join(folder, 'snapshot.db'))).rejects.toMatchObject({ kind: 'no-leader' })
    expect(readdirSync(folder)).toEqual([])
  })
})
