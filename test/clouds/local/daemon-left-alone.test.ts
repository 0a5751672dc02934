import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { localPaths, readClusterRecord } from '../../../src/clouds/local/records.ts'
import { silent } from '../../../src/events.ts'
import { endpoint, group, network, step, until } from './bench.ts'
import { bench, benchForEach, carryOut, machines, only } from './each-bench.ts'

benchForEach()

describe('a cluster with a record that cannot be read', () => {
  test('a record that cannot be read is left alone, and so are its machines', async () => {
    await bench.start()
    await carryOut(network, endpoint, group('w', 'node', ['a'], 1))
    const { id } = await only()
    await bench.kill()
    const record = localPaths(bench.home).clusterRecord('c')
    writeFileSync(record, '{ broken')

    await bench.start()

    expect(bench.world.machines.get(id)?.running).toBe(true)
    for (const one of [network, step({ action: 'delete-group', group: 'w' })]) {
      await expect(bench.cloud.carryOut('c', one, silent)).rejects.toMatchObject({ code: 'record-broken' })
    }
    expect(readFileSync(record, 'utf8')).toBe('{ broken')
  })

  test.each(['cluster.json', 'machine.json'])(
    'a cluster whose %s cannot be read is not nothing, and is adopted once it can',
    async (broken) => {
      await bench.start()
      await carryOut(network, endpoint, group('w', 'node', ['a'], 1))
      const before = await only()
      await bench.kill()
      const paths = localPaths(bench.home)
      const record =
        broken === 'cluster.json' ? paths.clusterRecord('c') : paths.machineRecord('c', before.id)
      const right = readFileSync(record, 'utf8')
      writeFileSync(record, '{ broken')
      await bench.start()

      expect(await bench.cloud.clusters()).toEqual(['c'])
      await expect(bench.cloud.observe('c')).rejects.toMatchObject({ code: 'record-broken' })
      await expect(bench.cloud.endpointTargets?.('c')).rejects.toMatchObject({ code: 'record-broken' })

      writeFileSync(record, right)
      bench.clock.now += 10_000
      await until('it is adopted', () =>
        machines().then(
          ({ length }) => length === 1,
          () => false,
        ),
      )
      expect(await only()).toEqual(before)
      expect(bench.world.machines.get(before.id)?.boots).toBe(1)
    },
  )

  test.each(['cluster.json', 'machine.json'])(
    'the index of a cluster whose %s cannot be read is given to no other',
    async (broken) => {
      await bench.start()
      await carryOut(network, endpoint, group('w', 'node', ['a'], 1))
      const { id } = await only()
      await bench.kill()
      const paths = localPaths(bench.home)
      const record = broken === 'cluster.json' ? paths.clusterRecord('c') : paths.machineRecord('c', id)
      writeFileSync(record, '{ broken')
      await bench.start()

      const another = bench.cloud.carryOut('d', network, silent)

      if (broken === 'cluster.json') {
        await expect(another).rejects.toMatchObject({
          code: 'record-broken',
          message: expect.stringContaining(record),
        })
        expect(existsSync(paths.cluster('d'))).toBe(false)
      } else {
        await another
        expect((await readClusterRecord(bench.home, 'd'))?.index).toBe(1)
      }
    },
  )
})
