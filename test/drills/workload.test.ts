import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { nowMs, sleep } from '../../src/drills/clock.ts'
import { readKubeconfig } from '../../src/drills/kubeconfig.ts'
import { deleteNamespace, readBack } from '../../src/drills/readback.ts'
import { startWorkload, type Workload } from '../../src/drills/workload.ts'
import { kubeconfigFor, type StandIn, type StandInPki, standInPki, startStandIn } from './stand-in.ts'

let pki: StandInPki
const open: { close(): Promise<void> }[] = []
const running: Workload[] = []

beforeAll(async () => {
  pki = await standInPki({ ipAddresses: ['127.0.0.1'] })
})

afterEach(async () => {
  for (const workload of running.splice(0)) await workload.stop()
  for (const server of open.splice(0)) await server.close()
})

async function begin(options: { ratePerSecond?: number; timeoutMs?: number; maxRequests?: number } = {}) {
  const server = await startStandIn(pki)
  open.push(server)
  const content = kubeconfigFor(`https://127.0.0.1:${server.port}`, pki)
  const workload = await startWorkload({
    kubeconfig: { content },
    ratePerSecond: 100,
    timeoutMs: 5000,
    ...options,
  })
  running.push(workload)
  return { server, workload, target: await readKubeconfig({ content }) }
}

/** Machines are noisy: waits for what must come about instead of for a while. */
async function until(condition: () => boolean): Promise<void> {
  for (const deadline = nowMs() + 30_000; !condition() && nowMs() < deadline; ) await sleep(10)
}

const master = (server: StandIn, name = 'm1') => ({ name, address: server.address, port: server.port })

describe('workload', () => {
  it('creates on schedule, each on a new connection with a full handshake', async () => {
    const { server, workload } = await begin({ maxRequests: 30 })

    await until(() => workload.snapshot().sent === 30)
    const { records, namespace } = await workload.stop()

    expect(records).toHaveLength(30)
    expect(records.every((record) => record.status === 201)).toBe(true)
    expect(server.handshakes).toBe(31)
    expect(server.resumedSessions).toBe(0)
    expect(server.objects).toContain(`${namespace}/w-000029`)
    const scheduled = records.map((record) => record.scheduledMs).sort((a, b) => a - b)
    expect((scheduled[29] ?? 0) - (scheduled[0] ?? 0)).toBeCloseTo(290, 0)
  })

  it('never waits for an earlier request, nor repeats one', async () => {
    const { server, workload } = await begin({ timeoutMs: 200 })

    server.behaviour = 'hang'
    await until(() => workload.snapshot().inFlight >= 8)
    const during = workload.snapshot()
    const { records } = await workload.stop()

    expect(during.inFlight).toBeGreaterThanOrEqual(8)
    expect(new Set(records.map((record) => record.name)).size).toBe(records.length)
    expect(records.filter((record) => record.error === 'no answer within 200 ms').length).toBeGreaterThan(5)
  })

  it.each([
    ['refuse', /./],
    ['error', /^status 503/],
  ] as const)('records %s as failed with its reason, and recovers', async (behaviour, reason) => {
    const { server, workload } = await begin()

    server.behaviour = behaviour
    await until(() => workload.snapshot().failed > 2)
    const failedThen = workload.snapshot().failed
    server.behaviour = 'serve'
    await until(() => workload.snapshot().inARow > 3)
    const { records } = await workload.stop()

    expect(failedThen).toBeGreaterThan(2)
    expect(records.find((record) => record.status !== 201)?.error).toMatch(reason)
    expect(workload.snapshot().inARow).toBeGreaterThan(3)
  })

  it('takes the head of an answer as the acknowledgement, though its body was cut', async () => {
    const { server, workload } = await begin()

    server.behaviour = 'cut'
    await until(() => workload.snapshot().records.length > 5)
    const { records } = await workload.stop()

    expect(records.length).toBeGreaterThan(2)
    expect(records.filter((record) => record.status === 201).length).toBeGreaterThanOrEqual(
      records.length - 1,
    )
  })

  it('refuses a server whose certificate carries another name', async () => {
    const server = await startStandIn(pki, { address: '127.0.0.2' })
    open.push(server)
    const target = await readKubeconfig({ content: kubeconfigFor(`https://127.0.0.2:${server.port}`, pki) })

    const read = await readBack(target, [master(server)], 'holdfast-drill-x', 0)

    expect(read[0]?.error).toMatch(/IP: 127\.0\.0\.2 is not in the cert/)
  })
})

describe('read back', () => {
  it('reads all pages through each master, under the name of the endpoint', async () => {
    const { server, workload, target } = await begin({ maxRequests: 12 })
    const second = await startStandIn(pki, { address: '127.0.0.3', share: server })
    open.push(second)
    await until(() => workload.snapshot().sent === 12)
    await workload.stop()

    server.pageSize = 5
    const read = await readBack(target, [master(server), master(second, 'm2')], workload.namespace)

    expect(read.map((result) => [result.master, result.names?.size])).toEqual([
      ['m1', 12],
      ['m2', 12],
    ])
  })

  it('says which master could not be read, and why', async () => {
    const { server, workload, target } = await begin({ maxRequests: 1 })
    await workload.stop()

    const gone = { name: 'm2', address: '127.0.0.4', port: server.port }
    const read = await readBack(target, [master(server), gone], workload.namespace, 0)

    expect(read[0]?.names).toBeDefined()
    expect(read[1]?.names).toBeUndefined()
    expect(read[1]?.error).toMatch(/127\.0\.0\.4.*ECONNREFUSED/)
  })

  it('deletes its namespace and no other', async () => {
    const { server, workload, target } = await begin({ maxRequests: 1 })
    await workload.stop()

    await deleteNamespace(target, workload.namespace)

    expect(server.namespaces.size).toBe(0)
    await expect(deleteNamespace(target, 'kube-system')).rejects.toThrow(/no drill/)
  })
})
