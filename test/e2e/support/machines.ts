import { execFile } from 'node:child_process'
import type { Inventory, Machine } from '../../../src/clouds/cloud.ts'
import { openLocalCloud } from '../../../src/clouds/local/cloud.ts'
import { initPid } from '../../../src/clouds/local/machine.ts'
import { clusterName, home } from './place.ts'
import { defined } from './wait.ts'

/** The local cloud as drills use it: to look, to kill and to reboot. It makes nothing here. */
export const cloud = () => {
  const own = home()
  return openLocalCloud({
    home: own,
    storeUrl: own.storeUrl,
    assets: async () => {
      throw new Error('tests make machines by the command line only')
    },
  })
}

export const inventory = (cluster = clusterName): Promise<Inventory> => cloud().observe(cluster)

export async function machinesOf(role: 'master' | 'node', cluster = clusterName): Promise<Machine[]> {
  const { machines } = await inventory(cluster)
  return machines
    .filter((one) => one.role === role)
    .sort((one, other) => one.group.localeCompare(other.group))
}

/** The machine of one seat; masters' groups are called `master-ZONE`, and zone and seat are alike here. */
export async function masterOf(seat: string): Promise<Machine> {
  return defined(
    (await machinesOf('master')).find(({ group }) => group === `master-${seat}`),
    `master of seat ${seat}`,
  )
}

/** Process id, on this host, of a machine's first process. */
export const pidOf = async (machine: Pick<Machine, 'id'>): Promise<number> =>
  defined(await initPid(await cloud().machine(machine.id)), `running machine ${machine.id}`)

export interface Output {
  code: number
  stdout: string
  stderr: string
}

/** Runs a script inside a machine, by nsenter alone. */
export async function tryInside(
  machine: Pick<Machine, 'id'>,
  script: string,
  timeoutMs = 30_000,
): Promise<Output> {
  const pid = await pidOf(machine)
  const words = [`--target=${pid}`, '--mount', '--uts', '--ipc', '--net', '--pid', '--cgroup', '--']
  const env = { PATH: '/opt/holdfast/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root' }
  return new Promise((resolve) => {
    const options = { env, timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: 64 * 2 ** 20 } as const
    execFile('nsenter', [...words, 'sh', '-c', script], options, (error, stdout, stderr) => {
      resolve({ code: error ? (typeof error.code === 'number' ? error.code : -1) : 0, stdout, stderr })
    })
  })
}

/** @throws Error unless the script ends with 0. @returns its standard output. */
export async function inside(
  machine: Pick<Machine, 'id'>,
  script: string,
  timeoutMs?: number,
): Promise<string> {
  const { code, stdout, stderr } = await tryInside(machine, script, timeoutMs)
  if (code === 0) return stdout
  throw new Error(`${machine.id}: ${script.slice(0, 200)}: ${code}: ${stderr.trim().slice(-500)}`)
}

export type EtcdName = 'main' | 'events'

export interface Member {
  /** Hexadecimal. */
  id: string
  started: boolean
  name: string
  peerUrl: string
  learner: boolean
}

const clientPorts = { main: 2379, events: 4002 }

/** etcd's own client, inside the machine, with the server's certificate. */
export const etcdctl = (machine: Pick<Machine, 'id'>, etcd: EtcdName, words: string): Promise<string> => {
  const pki = '/etc/kubernetes/pki/etcd'
  const proof = `--cacert=${pki}/ca.crt --cert=${pki}/server.crt --key=${pki}/server.key`
  const where = `--endpoints=https://127.0.0.1:${clientPorts[etcd]} --command-timeout=5s`
  return inside(machine, `etcdctl ${where} ${proof} ${words}`)
}

export async function members(machine: Pick<Machine, 'id'>, etcd: EtcdName): Promise<Member[]> {
  const text = await etcdctl(machine, etcd, 'member list --write-out=simple')
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [id = '', status, name = '', peerUrl = '', , learner] = line.split(', ')
      return { id, started: status === 'started', name, peerUrl, learner: learner === 'true' }
    })
    .sort((one, other) => one.name.localeCompare(other.name))
}

/** Cluster id and this member's own id, hexadecimal. */
export async function etcdIds(
  machine: Pick<Machine, 'id'>,
  etcd: EtcdName,
): Promise<{ cluster: string; member: string }> {
  const { cluster, member } = await idsSaid(machine, etcd)
  return { cluster, member }
}

export async function leads(machine: Pick<Machine, 'id'>, etcd: EtcdName): Promise<boolean> {
  const { member, leader } = await idsSaid(machine, etcd)
  return member === leader
}

async function idsSaid(machine: Pick<Machine, 'id'>, etcd: EtcdName) {
  const text = await etcdctl(machine, etcd, 'endpoint status --write-out=fields')
  const field = (name: string): string => {
    const found = new RegExp(`^"${name}" : (\\d+)$`, 'm').exec(text)?.[1]
    return BigInt(defined(found, `${name} in ${text}`)).toString(16)
  }
  return { cluster: field('ClusterID'), member: field('MemberID'), leader: field('Leader') }
}
