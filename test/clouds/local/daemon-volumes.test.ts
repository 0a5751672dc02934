import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { localPaths } from '../../../src/clouds/local/records.ts'
import { sweepVolumes } from '../../../src/clouds/local/volume.ts'
import { HoldfastError } from '../../../src/errors.ts'
import { endpoint, group, network, step, until, volume } from './bench.ts'
import { bench, benchForEach, carryOut } from './each-bench.ts'

benchForEach()

describe('records of volumes and their data', () => {
  test('data that no record names is kept and reported, also where nothing else is left of the cluster', async () => {
    await bench.start()
    await carryOut(network)
    await bench.kill()
    const folder = localPaths(bench.home).volumes('c')
    mkdirSync(folder, { recursive: true })
    const record = localPaths(bench.home).clusterRecord('c')
    const { network: _gone, ...empty } = JSON.parse(readFileSync(record, 'utf8'))
    writeFileSync(record, JSON.stringify(empty))
    const wanted = join(folder, 'a-main-zzzzz.img')
    writeFileSync(wanted, 'somebody wants this')

    const ensureNetwork = () => Promise.reject(new HoldfastError('range-overlap', 'it overlaps a route'))
    await bench.start({ actions: { ...bench.world.actions(), sweepVolumes, ensureNetwork } })
    await expect(carryOut(network)).rejects.toMatchObject({ code: 'range-overlap' })

    expect(readFileSync(wanted, 'utf8')).toBe('somebody wants this')
    expect(bench.reports.join('\n')).toContain(`${wanted} is no volume that is remembered`)
    await carryOut(step({ action: 'delete-network' }))
    expect(await bench.cloud.clusters()).toEqual([])
  })

  test.each(['while the cloud runs', 'while it does not'])(
    'a volume whose data is gone is forgotten, and its seat gets another: %s',
    async (when) => {
      await bench.start()
      await carryOut(network, volume('a', 'main', 'a'), volume('b', 'main', 'b'))
      const [lost, other] = (await bench.cloud.observe('c')).volumes
      if (when === 'while it does not') await bench.kill()
      bench.world.volumes.delete(lost?.id ?? '')
      if (when === 'while it does not') await bench.start()

      expect((await bench.cloud.observe('c')).volumes).toEqual([other])
      expect(bench.reports.join('\n')).toContain(`the data of volume ${lost?.id} is gone`)
      await carryOut(volume('a', 'main', 'a'))

      const [next] = (await bench.cloud.observe('c')).volumes
      expect(next?.seat).toBe('a')
      expect(next?.id).not.toBe(lost?.id)
      expect(bench.world.volumes.has(next?.id ?? '')).toBe(true)
    },
  )

  test('a volume whose file was removed under the machine that has it stays until that is gone', async () => {
    await bench.start()
    await carryOut(network, endpoint, volume('a', 'main', 'a'), group('m', 'master', ['a'], 1))
    await until('it runs', async () => (await bench.cloud.observe('c')).machines[0]?.state === 'running')
    const [machine] = (await bench.cloud.observe('c')).machines
    if (!machine) throw new Error('no machine')
    const [attached] = (await bench.cloud.observe('c')).volumes
    await bench.surroundings(machine.id).attach(attached?.id ?? '')
    const actions = { ...bench.world.actions(), hasData: async () => false }
    await bench.kill()

    await bench.start({ actions })

    expect((await bench.cloud.observe('c')).volumes).toEqual([{ ...attached, attachedTo: machine.id }])
    bench.world.powerCut(machine.id)
    await until('it is forgotten', async () => (await bench.cloud.observe('c')).volumes.length === 0)
  })
})
