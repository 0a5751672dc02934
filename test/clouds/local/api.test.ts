import { statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { call } from '../../../src/clouds/local/api-wire.ts'
import { localPaths } from '../../../src/clouds/local/records.ts'
import type { Surroundings } from '../../../src/clouds/surroundings.ts'
import { HoldfastError } from '../../../src/errors.ts'
import { silent } from '../../../src/events.ts'
import { openStore } from '../../../src/store/open.ts'
import {
  type StateStore,
  StoreConflictError,
  StoreDeniedError,
  StoreUnavailableError,
} from '../../../src/store/store.ts'
import { type Bench, endpoint, group, network, setUpBench, step, until, volume } from './bench.ts'

describe('what a machine may ask through its socket', () => {
  let bench: Bench
  let master: Surroundings
  let other: Surroundings
  let worker: Surroundings
  let ids: { master: string; other: string; worker: string }
  let store: StateStore

  beforeEach(async () => {
    bench = setUpBench()
    store = await openStore(bench.home.storeUrl)
    await bench.start()
    const steps = [
      network,
      endpoint,
      volume('a', 'main', 'a'),
      volume('b', 'main', 'b'),
      group('m-a', 'master', ['a'], 1),
      group('m-b', 'master', ['b'], 1),
      group('w', 'node', ['a'], 1),
    ]
    for (const one of steps) await bench.cloud.carryOut('c', one, silent)
    const all = async () => (await bench.cloud.observe('c')).machines
    await until(
      'three machines',
      async () => (await all()).filter(({ state }) => state === 'running').length === 3,
    )
    const idOf = async (name: string) => (await all()).find((machine) => machine.group === name)?.id ?? ''
    ids = { master: await idOf('m-a'), other: await idOf('m-b'), worker: await idOf('w') }
    master = bench.surroundings(ids.master)
    other = bench.surroundings(ids.other)
    worker = bench.surroundings(ids.worker)
  })
  afterEach(async () => {
    expect(bench.world.violations).toEqual([])
    await bench.close()
  })

  const volumeOf = async (seat: string) => (await master.volumes(seat))[0]?.id ?? ''

  test('it sees the living machines and the volumes of a seat', async () => {
    const machines = await worker.machines()
    const volumes = await master.volumes('a')

    expect(machines.map(({ id }) => id)).toEqual(Object.values(ids).sort())
    expect(volumes).toEqual([{ id: volumes[0]?.id, seat: 'a', etcd: 'main', zone: 'a', sizeGib: 1 }])
  })

  test('attaching gives a device, repeating it the same one, and everybody sees it', async () => {
    const id = await volumeOf('a')

    const first = await master.attach(id)
    const second = await master.attach(id)

    expect(second).toEqual(first)
    expect((await other.volumes('a'))[0]?.attachedTo).toBe(ids.master)
  })

  test('a volume of another zone is refused', async () => {
    await expect(master.attach(await volumeOf('b'))).rejects.toMatchObject({ code: 'zone-mismatch' })
  })

  test('a volume that is not there is refused', async () => {
    await expect(master.attach('a-main-zzzzz')).rejects.toMatchObject({ code: 'volume-missing' })
  })

  test('a worker gets no volumes, neither there nor new', async () => {
    await expect(worker.attach(await volumeOf('a'))).rejects.toMatchObject({ code: 'volume-denied' })
    await expect(worker.createVolume('a', 'events')).rejects.toMatchObject({ code: 'volume-denied' })
  })

  test('of two machines in one zone that attach at once, one gets the volume', async () => {
    await bench.cloud.carryOut('c', group('m-c', 'master', ['a'], 1), silent)
    const inZone = async () => (await master.machines()).find((machine) => machine.group === 'm-c')
    await until('a second master in zone a', async () => (await inZone())?.state === 'running')
    const rival = bench.surroundings((await inZone())?.id ?? '')
    const id = await volumeOf('a')

    const results = await Promise.allSettled([
      master.attach(id),
      rival.attach(id),
      rival.attach(id),
      master.attach(id),
    ])

    const won = results.filter(({ status }) => status === 'fulfilled')
    const codes = results.flatMap((one) =>
      one.status === 'rejected' ? [(one.reason as HoldfastError).code] : [],
    )
    expect(won).toHaveLength(2)
    expect(codes).toEqual(['volume-busy', 'volume-busy'])
  })

  test('a volume is free once its machine is dead', async () => {
    const id = await volumeOf('a')
    await master.attach(id)

    await bench.cloud.power(ids.master, 'kill')
    const next = async () => (await other.machines()).find((machine) => machine.group === 'm-a')
    await until(
      'a replacement',
      async () => (await next())?.state === 'running' && (await next())?.id !== ids.master,
    )

    const replacement = bench.surroundings((await next())?.id ?? '')
    expect(await replacement.attach(id)).toEqual({ device: `/dev/holdfast-${id}` })
  })

  test('withheld volumes are refused until they are released', async () => {
    const id = await volumeOf('a')
    await bench.cloud.power(ids.master, 'reboot', { withholdVolumes: true })
    await expect(master.attach(id)).rejects.toMatchObject({ code: 'volume-withheld' })

    await bench.cloud.releaseVolumes(ids.master)

    await expect(master.attach(id)).resolves.toHaveProperty('device')
  })

  test('two that ask at once for the same new volume get one, in the own zone and the usual size', async () => {
    await bench.cloud.carryOut('c', step({ action: 'delete-volume', volume: await volumeOf('a') }), silent)

    const [one, two] = await Promise.all([master.createVolume('a', 'main'), master.createVolume('a', 'main')])

    expect(two).toEqual(one)
    expect(one).toMatchObject({ seat: 'a', etcd: 'main', zone: 'a', sizeGib: 1 })
    expect(await master.volumes('a')).toEqual([one])
  })

  test('a size that nobody ever named is an error, not a guess', async () => {
    await expect(master.createVolume('a', 'events')).rejects.toMatchObject({ code: 'volume-size-unknown' })
  })

  test('a volume in use is not deleted', async () => {
    const id = await volumeOf('a')
    await master.attach(id)

    const deleting = bench.cloud.carryOut('c', step({ action: 'delete-volume', volume: id }), silent)

    await expect(deleting).rejects.toMatchObject({ code: 'volume-busy' })
    expect(bench.world.volumes.has(id)).toBe(true)
  })

  test('the store: conditions hold and a lost race keeps its type', async () => {
    const mine = master.store()
    const revision = await mine.put('c/seats/a.json', 'one', { ifAbsent: true })

    await expect(mine.put('c/seats/a.json', 'two', { ifAbsent: true })).rejects.toThrow(StoreConflictError)
    await expect(mine.put('c/seats/a.json', 'two', { ifRevision: revision + 1 })).rejects.toMatchObject({
      code: 'store-conflict',
      key: 'c/seats/a.json',
    })
    const next = await mine.put('c/seats/a.json', 'zwei ☃', { ifRevision: revision })

    expect(await mine.get('c/seats/a.json')).toEqual({ value: 'zwei ☃', revision: next })
    expect(await store.get('c/seats/a.json')).toEqual({ value: 'zwei ☃', revision: next })
    expect(await mine.list('c/seats/')).toEqual(['c/seats/a.json'])
    await expect(mine.delete('c/seats/a.json', { ifRevision: 99 })).rejects.toThrow(StoreConflictError)
    await mine.delete('c/seats/a.json', { ifRevision: next })
    expect(await mine.get('c/seats/a.json')).toBeUndefined()
  })

  test('the store: one winner among many machines', async () => {
    const racers = Array.from({ length: 12 }, (_, index) =>
      (index % 2 ? master : other).store().put('c/locks/x.json', String(index), { ifAbsent: true }),
    )

    const results = await Promise.allSettled(racers)

    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  test('the store: each role sees its own part only', async () => {
    await store.put('c/pki/private/ca.pem', 'secret')
    await store.put('c/pki/public/ca.crt', 'public')
    await store.put('other/seats/a.json', 'theirs')

    expect((await worker.store().get('c/pki/public/ca.crt'))?.value).toBe('public')
    expect((await master.store().get('c/pki/private/ca.pem'))?.value).toBe('secret')
    await expect(worker.store().get('c/pki/private/ca.pem')).rejects.toThrow(StoreDeniedError)
    await expect(worker.store().put('c/seats/a.json', '')).rejects.toThrow(StoreDeniedError)
    await expect(worker.store().put(`c/machines/${ids.master}.json`, '')).rejects.toThrow(StoreDeniedError)
    await expect(worker.store().list('c/')).rejects.toThrow(StoreDeniedError)
    await expect(master.store().get('other/seats/a.json')).rejects.toThrow(StoreDeniedError)
    await expect(master.store().get('c/../other/seats/a.json')).rejects.toThrow(StoreDeniedError)
    await worker.store().put(`c/machines/${ids.worker}.json`, 'alive')
    expect((await store.get(`c/machines/${ids.worker}.json`))?.value).toBe('alive')
  })

  test('the store is away: its calls say so, machines and volumes go on working', async () => {
    await bench.kill()
    const away: StateStore = {
      location: 'file:///away',
      get: () => Promise.reject(new StoreUnavailableError('file:///away', 'it is not mounted')),
      put: () => Promise.reject(new StoreUnavailableError('file:///away', 'it is not mounted')),
      delete: () => Promise.reject(new StoreUnavailableError('file:///away', 'it is not mounted')),
      list: () => Promise.reject(new StoreUnavailableError('file:///away', 'it is not mounted')),
      entries: () => Promise.reject(new StoreUnavailableError('file:///away', 'it is not mounted')),
    }
    await bench.start({ openStore: async () => away })

    const reading = master.store().get('c/seats/a.json')

    await expect(reading).rejects.toThrow(StoreUnavailableError)
    await expect(reading).rejects.toThrow('The state store file:///away cannot be used: it is not mounted')
    await expect(master.store().put('c/seats/a.json', 'x')).rejects.toThrow(StoreUnavailableError)
    await expect(master.attach(await volumeOf('a'))).resolves.toHaveProperty('device')
    expect(await master.machines()).toHaveLength(3)
  })

  test('a store that cannot even be opened is unavailable too, and is tried again', async () => {
    await bench.kill()
    let attempts = 0
    const openLater = async (url: string) => {
      if (++attempts < 2) throw new HoldfastError('store-broken', 'no folder')
      return await openStore(url)
    }
    await bench.start({ openStore: openLater })

    await expect(master.store().get('c/seats/a.json')).rejects.toThrow(StoreUnavailableError)
    await expect(master.store().get('c/seats/a.json')).resolves.toBeUndefined()
  })

  test('the local cloud is away: a typed error, and it works again with the next one', async () => {
    await bench.kill()
    await expect(master.machines()).rejects.toMatchObject({ code: 'cloud-unavailable', neverSent: true })
    await expect(master.store().put('c/seats/a.json', 'x')).rejects.toThrow(StoreUnavailableError)

    await bench.start()

    expect(await master.machines()).toHaveLength(3)
  })

  test('only the owner can reach the sockets', () => {
    const paths = localPaths(bench.home)
    const mode = (path: string) => (statSync(path).mode & 0o777).toString(8)

    expect(mode(join(paths.machineSocketDir('c', ids.master), paths.socketName))).toBe('600')
    expect(mode(paths.machineSocketDir('c', ids.master))).toBe('700')
    expect(mode(paths.socket)).toBe('600')
    expect(mode(paths.root)).toBe('700')
    expect(mode(paths.clusterRecord('c'))).toBe('600')
  })

  test('nonsense is refused, never guessed', async () => {
    const paths = localPaths(bench.home)
    const socketPath = join(paths.machineSocketDir('c', ids.master), paths.socketName)
    const ask = (method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown) =>
      call({ socketPath, method, path, ...(body === undefined ? {} : { body }) })
    const key = '/store?key=c%2Fseats%2Fa.json'

    await expect(ask('GET', '/nothing')).rejects.toMatchObject({ code: 'no-such-call' })
    await expect(ask('GET', '/clusters')).rejects.toMatchObject({ code: 'no-such-call' })
    await expect(ask('GET', '/volumes')).rejects.toMatchObject({ code: 'bad-request' })
    await expect(ask('POST', '/volumes', { seat: 'a', etcd: 'other' })).rejects.toMatchObject({
      code: 'bad-request',
    })
    await expect(ask('PUT', key, { value: 7 })).rejects.toMatchObject({ code: 'bad-request' })
    await expect(ask('PUT', key, { value: 'x', condition: { ifRevison: 1 } })).rejects.toMatchObject({
      code: 'bad-request',
    })
    await expect(ask('DELETE', key, { condition: { ifAbsent: true } })).rejects.toMatchObject({
      code: 'bad-request',
    })
    expect(await store.get('c/seats/a.json')).toBeUndefined()
  })
})
