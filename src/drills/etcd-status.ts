import { z } from 'zod'
import type { Machine } from '../clouds/cloud.ts'
import { ports } from '../constants.ts'
import { messageOf } from '../errors.ts'
import type { Host } from '../hosts/host.ts'
import type { EtcdName } from '../spec/types.ts'
import { type HttpsClient, httpsClient } from './https-client.ts'

/** One member of one etcd cluster, as it and its peers tell. Ids are strings: they have 64 bits. */
export interface EtcdMember {
  id: string
  name: string
  voter: boolean
  /** The machine that runs it; undefined when no machine answered with this id. */
  machine?: string
  /** Log entries applied; undefined when it did not answer. */
  appliedIndex?: number
}

export interface EtcdStatus {
  members: EtcdMember[]
  leaderId?: string
  /** The machine that leads; undefined while nobody does. */
  leaderMachine?: string
  /** The highest log index that any member told of. */
  highestIndex: number
}

/** Asks both etcd clusters of the given machines; a cluster of which nobody answers is not there. */
export type EtcdProbe = (machines: readonly Machine[]) => Promise<Partial<Record<EtcdName, EtcdStatus>>>

/** What to trust and who to be towards etcd; PEM. */
export interface EtcdIdentity {
  ca: string
  cert: string
  key: string
}

const timeoutMs = 1000

const statusSchema = z.object({
  header: z.object({ member_id: z.string() }),
  leader: z.string().default('0'),
  raftIndex: z.string().default('0'),
  raftAppliedIndex: z.string().default('0'),
})
const memberSchema = z.object({
  ID: z.string(),
  name: z.string().default(''),
  isLearner: z.boolean().default(false),
})
const membersSchema = z.object({ members: z.array(memberSchema) })

/**
 * Asks etcd's JSON gateway on each machine's own address. The gateway rather than etcdctl because it
 * gives ids as strings and starts no process on a machine that is being measured.
 */
export function etcdGatewayProbe(identity: () => Promise<EtcdIdentity>): EtcdProbe {
  let known: Promise<EtcdIdentity> | undefined
  const clients = new Map<string, HttpsClient>()

  const clientFor = async (machine: Machine, port: number): Promise<HttpsClient> => {
    const address = `${machine.address}:${port}`
    const client = clients.get(address)
    if (client) return client
    known ??= identity()
    const proof = await known.catch((error: unknown) => {
      known = undefined
      throw error
    })
    // The certificates carry the seats' names; the authority is etcd's own, which is what counts here.
    const made = httpsClient(
      { host: machine.address, port, serverName: machine.address, ...proof },
      { verifyName: false },
    )
    clients.set(address, made)
    return made
  }

  const probe = async (machines: readonly Machine[], etcd: EtcdName): Promise<EtcdStatus | undefined> => {
    const port = ports.etcd[etcd].client
    const answers = await Promise.all(
      machines.map(async (machine) => {
        try {
          const client = await clientFor(machine, port)
          const status = statusSchema.parse(await post(client, '/v3/maintenance/status'))
          return { machine: machine.id, client, status }
        } catch {
          return undefined
        }
      }),
    )
    return combine(answers.filter((answer) => answer !== undefined))
  }
  return async (machines) => {
    const [main, events] = await Promise.all([probe(machines, 'main'), probe(machines, 'events')])
    return { ...(main ? { main } : {}), ...(events ? { events } : {}) }
  }
}

interface Answer {
  machine: string
  client: HttpsClient
  status: z.infer<typeof statusSchema>
}

async function combine(answers: readonly Answer[]): Promise<EtcdStatus | undefined> {
  if (answers.length === 0) return undefined
  const leaderId = answers.map((answer) => answer.status.leader).find((id) => id !== '0')
  const leader = answers.find((answer) => answer.status.header.member_id === leaderId)
  // The leader knows the membership best; a list that needs no quorum also answers while there is none.
  const ordered = leader ? [leader, ...answers.filter((answer) => answer !== leader)] : answers
  const members = await firstMemberList(ordered)
  if (!members) return undefined
  return {
    members: members.map((member) => {
      const own = answers.find((answer) => answer.status.header.member_id === member.ID)
      return {
        id: member.ID,
        name: member.name,
        voter: !member.isLearner,
        ...(own ? { machine: own.machine, appliedIndex: Number(own.status.raftAppliedIndex) } : {}),
      }
    }),
    ...(leaderId ? { leaderId } : {}),
    ...(leader ? { leaderMachine: leader.machine } : {}),
    highestIndex: Math.max(...answers.map((answer) => Number(answer.status.raftIndex))),
  }
}

async function firstMemberList(
  answers: readonly Answer[],
): Promise<z.infer<typeof memberSchema>[] | undefined> {
  for (const { client } of answers) {
    try {
      return membersSchema.parse(await post(client, '/v3/cluster/member/list', { linearizable: false }))
        .members
    } catch {}
  }
  return undefined
}

async function post(client: HttpsClient, path: string, body: object = {}): Promise<unknown> {
  const answer = await client.call({ method: 'POST', path, body, timeoutMs })
  if (answer.status !== 200 || answer.cut)
    throw new Error(`${path}: ${answer.cut ?? `status ${answer.status}`}`)
  return JSON.parse(answer.body)
}

/** As a master's own etcd server, whose certificate may also act as a client: for when there is no other. */
export async function etcdIdentityOf(host: Host, folder = '/etc/kubernetes/pki/etcd'): Promise<EtcdIdentity> {
  try {
    const files = ['ca.crt', 'server.crt', 'server.key'].map((name) => host.readFile(`${folder}/${name}`))
    const [ca = '', cert = '', key = ''] = await Promise.all(files)
    return { ca, cert, key }
  } catch (error) {
    throw new Error(`${host.name} has no etcd certificate to ask with: ${messageOf(error)}`)
  }
}
