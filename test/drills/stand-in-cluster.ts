import { createServer } from 'node:https'
import type { Cloud, Inventory, Machine } from '../../src/clouds/cloud.ts'
import { ports } from '../../src/constants.ts'
import type { DrillContext } from '../../src/drills/drill.ts'
import { createObserver, type ObserverOptions } from '../../src/drills/observation.ts'
import { HoldfastError } from '../../src/errors.ts'
import type { Host } from '../../src/hosts/host.ts'
import { ETCD_NAMES, type EtcdName } from '../../src/spec/types.ts'
import { kubeconfigFor, type StandIn, type StandInPki, standInPki, startStandIn } from './stand-in.ts'

/**
 * Three masters on loopback addresses, each with an apiserver and two etcd gateways over real TLS, a
 * balancer before them, and a cloud that replaces what was killed.
 */
export interface StandInCluster {
  context: DrillContext
  inventory: Inventory
  endpoint: StandIn
  /** What was done to the cloud, in order. */
  actions: string[]
  /** The id of the member that leads each etcd cluster. 64 bits, so that rounding would be noticed. */
  leaders: Record<EtcdName, string>
  /** Members that are learners. */
  learners: Set<string>
  /** How the endpoint behaves for how long after a kill. */
  outage: { behaviour: StandIn['behaviour']; forMs: number }
  replaceAfterMs: number | undefined
  close(): Promise<void>
}

export const memberId = (seat: string): string => `1029384756102938475${'abc'.indexOf(seat)}`

export async function startStandInCluster(): Promise<StandInCluster> {
  const net = `127.88.${1 + Math.floor(Math.random() * 250)}`
  const pki = await standInPki({ dnsNames: ['localhost'], ipAddresses: [`${net}.200`] })
  const endpoint = await startStandIn(pki, { address: `${net}.200` })
  const closers = new Map<string, () => Promise<void>>()
  const timers: NodeJS.Timeout[] = []
  const inventory: Inventory = {
    groups: ['a', 'b', 'c'].map((s) => ({
      name: `master-${s}`,
      role: 'master',
      zones: [`zone-${s}`],
      size: 1,
    })),
    machines: [],
    volumes: ['a', 'b', 'c'].flatMap((seat) =>
      ETCD_NAMES.map((etcd) => ({ id: `vol-${seat}-${etcd}`, seat, etcd, zone: `zone-${seat}`, sizeGib: 1 })),
    ),
  }
  const cluster: StandInCluster = {
    inventory,
    endpoint,
    actions: [],
    leaders: { main: memberId('b'), events: memberId('a') },
    learners: new Set(),
    outage: { behaviour: 'error', forMs: 0 },
    replaceAfterMs: 200,
    close: async () => {
      for (const timer of timers) clearTimeout(timer)
      for (const close of closers.values()) await close()
      await endpoint.close()
    },
    context: undefined as unknown as DrillContext,
  }
  let made = 0

  const boot = async (seat: string): Promise<void> => {
    made += 1
    const machine: Machine = {
      id: `${seat}-${made}`,
      group: `master-${seat}`,
      role: 'master',
      zone: `zone-${seat}`,
      address: `${net}.${made}`,
      state: 'running',
      bootedAt: new Date().toISOString(),
    }
    const api = await startStandIn(pki, { address: machine.address, port: ports.apiserver, share: endpoint })
    const etcds = await Promise.all(
      ETCD_NAMES.map((etcd) => etcdGateway(cluster, pki, machine.address, etcd, seat)),
    )
    closers.set(machine.id, async () => {
      closers.delete(machine.id)
      await Promise.all([api.close(), ...etcds.map((close) => close())])
    })
    inventory.machines.push(machine)
    for (const volume of inventory.volumes) if (volume.seat === seat) volume.attachedTo = machine.id
    endpoint.leases.set(machine.id, new Date(Date.now() + 50).toISOString())
  }
  await Promise.all(['a', 'b', 'c'].map(boot))

  const cloud: Cloud & ObserverOptions['cloud'] = {
    kind: 'local',
    endpointTargets: async () => inventory.machines.map((machine) => ({ name: machine.id, up: true })),
    check: async () => [],
    clusters: async () => ['test'],
    observe: async () => structuredClone(inventory),
    host: async (id) => certificateHost(id, pki),
    carryOut: async (_cluster, step) => {
      if (step.action !== 'delete-volume') throw new Error(`unexpected ${step.action}`)
      const volume = inventory.volumes.find((candidate) => candidate.id === step.volume)
      if (volume?.attachedTo) throw new HoldfastError('volume-busy', `${volume.id} is attached`)
      cluster.actions.push(`delete ${step.volume}`)
      inventory.volumes = inventory.volumes.filter((candidate) => candidate !== volume)
    },
    power: async (id, action) => {
      cluster.actions.push(`${action} ${id}`)
      const machine = inventory.machines.find((candidate) => candidate.id === id)
      if (!machine) throw new Error(`no ${id}`)
      const seat = machine.group.slice(-1)
      inventory.machines = inventory.machines.filter((candidate) => candidate !== machine)
      if (cluster.leaders.main === memberId(seat)) cluster.leaders.main = memberId(seat === 'c' ? 'a' : 'c')
      endpoint.behaviour = cluster.outage.behaviour
      await closers.get(id)?.()
      const later = (ms: number, action: () => void): void => void timers.push(setTimeout(action, ms))
      later(cluster.outage.forMs, () => {
        endpoint.behaviour = 'serve'
      })
      later(20, () => {
        for (const volume of inventory.volumes) if (volume.attachedTo === id) delete volume.attachedTo
      })
      if (cluster.replaceAfterMs !== undefined) later(cluster.replaceAfterMs, () => void boot(seat))
    },
  }
  const kubeconfig = { content: kubeconfigFor(`https://${net}.200:${endpoint.port}`, pki) }
  const observer = await createObserver({
    cloud,
    cluster: 'test',
    kubeconfig,
  })
  const timing = {
    ratePerSecond: 50,
    steadyWrites: 5,
    observeEveryMs: 50,
    fullStrengthTimeoutMs: 8000,
    afterwardsMs: 100,
    atLeastMs: 200,
  }
  cluster.context = { cloud, cluster: 'test', kubeconfig, observer, timing }
  return cluster
}

function etcdGateway(
  cluster: StandInCluster,
  pki: StandInPki,
  address: string,
  etcd: EtcdName,
  seat: string,
) {
  const server = createServer(
    { key: pki.serverKey, cert: pki.serverCert, ca: pki.ca, requestCert: true, rejectUnauthorized: true },
    (request, response) => {
      const member_id = memberId(seat)
      const status = {
        header: { member_id },
        leader: cluster.leaders[etcd],
        raftIndex: '500',
        raftAppliedIndex: '499',
      }
      const members = ['a', 'b', 'c'].map((s) => ({
        ID: memberId(s),
        name: s,
        ...(cluster.learners.has(s) ? { isLearner: true } : {}),
      }))
      response.end(JSON.stringify(request.url === '/v3/maintenance/status' ? status : { members }))
    },
  )
  return new Promise<() => Promise<void>>((resolve, reject) => {
    server.once('error', reject)
    server.listen(ports.etcd[etcd].client, address, () =>
      resolve(() => {
        server.closeAllConnections()
        return new Promise((done) => server.close(() => done()))
      }),
    )
  })
}

function certificateHost(name: string, pki: StandInPki): Host {
  const unused = async (): Promise<never> => {
    throw new Error('not here')
  }
  return {
    name,
    run: unused,
    upload: unused,
    writeFile: unused,
    readFile: async (path) =>
      path.endsWith('ca.crt') ? pki.ca : path.endsWith('.key') ? pki.serverKey : pki.serverCert,
  }
}
