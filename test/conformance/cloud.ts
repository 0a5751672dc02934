import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Cloud, CloudStep, Inventory, Machine } from '../../src/clouds/cloud.ts'
import { silent } from '../../src/events.ts'

/** One cloud under test, with nothing of cluster `conformance` in it. */
export interface CloudUnderTest {
  cloud: Cloud
  /** Two zones it has. */
  zones: [string, string]
  /** SHA-256 of an agent that it accepts. */
  agentSha256: string
  /** How long a machine may take to run, or to be replaced. */
  patienceMs: number
  close(): Promise<void>
}

const cluster = 'conformance'

type Change<T> = T extends unknown ? Omit<T, 'where' | 'reason'> : never

/** What every Cloud must do, whatever it is made of. `open` gives one for each test. */
export function cloudConformance(name: string, open: () => Promise<CloudUnderTest>): void {
  describe(`${name}: cloud`, () => {
    let given: CloudUnderTest
    let cloud: Cloud
    beforeEach(async () => {
      given = await open()
      cloud = given.cloud
    })
    afterEach(async () => {
      await given.close()
    })

    const act = (change: Change<CloudStep>) =>
      cloud.carryOut(cluster, { where: 'here', reason: 'conformance', ...change } as CloudStep, silent)
    const observe = () => cloud.observe(cluster)
    const zoneA = () => given.zones[0]
    const setGroup = (group: string, role: 'master' | 'node', zones: string[], size: number) =>
      act({
        action: 'set-group',
        group: { name: group, role, zones, size },
        userData: { cluster, group, role, kubernetesVersion: '1.36.3', agentSha256: given.agentSha256 },
      })
    const createVolume = (seat: string) =>
      act({ action: 'create-volume', volume: { seat, etcd: 'main', zone: zoneA(), sizeGib: 1 } })
    const ground = async () => {
      await act({ action: 'create-network', egress: 'none' })
      await act({ action: 'create-endpoint', port: 6443 })
    }
    const until = async (what: string, holds: (seen: Inventory) => boolean): Promise<Inventory> => {
      const end = Date.now() + given.patienceMs
      for (;;) {
        const seen = await observe()
        if (holds(seen)) return seen
        if (Date.now() > end)
          throw new Error(`not within ${given.patienceMs} ms: ${what}; ${JSON.stringify(seen)}`)
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
    const running = async (count: number): Promise<Machine[]> => {
      const all = ({ machines }: Inventory) =>
        machines.length === count && machines.every((one) => one.state === 'running')
      return (await until(`${count} machines run`, all)).machines
    }

    test('of a cluster that was never made nothing is there', async () => {
      expect(await observe()).toEqual({ groups: [], machines: [], volumes: [] })
      expect(await cloud.clusters()).not.toContain(cluster)
    })

    test('every step can be repeated and changes nothing the second time', async () => {
      const story = async () => {
        await ground()
        await createVolume('a')
        await setGroup('master-a', 'master', [zoneA()], 1)
      }
      await story()
      await running(1)
      const before = await observe()

      await story()

      expect(await observe()).toEqual(before)
      expect(await cloud.clusters()).toContain(cluster)
    })

    test('the endpoint is known before the first machine, and stays', async () => {
      await ground()
      const { endpoint } = await observe()

      await setGroup('master-a', 'master', [zoneA()], 1)
      await running(1)

      expect(endpoint).toMatchObject({ port: 6443 })
      expect((await observe()).endpoint).toEqual(endpoint)
    })

    test('a group has the size and zones it was given, each machine its own name and address', async () => {
      await ground()

      await setGroup('workers', 'node', given.zones, 4)

      const machines = await running(4)
      expect(new Set(machines.map(({ id }) => id)).size).toBe(4)
      expect(new Set(machines.map(({ address }) => address)).size).toBe(4)
      expect(machines.map(({ zone }) => zone).sort()).toEqual([...given.zones, ...given.zones].sort())
      expect((await observe()).groups).toMatchObject([
        { name: 'workers', role: 'node', zones: given.zones, size: 4 },
      ])
    })

    test('a machine whose plug is pulled is replaced by a new one, in its zone', async () => {
      await ground()
      await setGroup('master-a', 'master', [zoneA()], 1)
      const [before] = await running(1)

      await cloud.power(before?.id ?? '', 'kill')

      const isNew = ({ machines }: Inventory) =>
        machines[0]?.state === 'running' && machines[0].id !== before?.id
      const { machines } = await until('a new machine', isNew)
      expect(machines).toHaveLength(1)
      expect(machines[0]).toMatchObject({ group: 'master-a', zone: zoneA() })
    })

    test('a machine that is rebooted is the same machine', async () => {
      await ground()
      await setGroup('master-a', 'master', [zoneA()], 1)
      const [before] = await running(1)

      await cloud.power(before?.id ?? '', 'reboot')

      const [after] = await running(1)
      expect(after?.id).toBe(before?.id)
    })

    test('a terminated machine is gone when the step is over, and its group makes another', async () => {
      await ground()
      await setGroup('workers', 'node', [zoneA()], 1)
      const [before] = await running(1)

      await act({ action: 'terminate-machine', machine: before?.id ?? '' })

      expect((await observe()).machines.map(({ id }) => id)).not.toContain(before?.id)
      const [after] = await running(1)
      expect(after?.id).not.toBe(before?.id)
    })

    test('a group of none has none, and grows again', async () => {
      await ground()
      await setGroup('workers', 'node', [zoneA()], 1)
      await running(1)

      await setGroup('workers', 'node', [zoneA()], 0)
      expect((await observe()).machines).toEqual([])

      await setGroup('workers', 'node', [zoneA()], 1)
      await running(1)
    })

    test('volumes outlive machines and are made once for a seat', async () => {
      await ground()
      await Promise.all([createVolume('a'), createVolume('a'), createVolume('a')])
      const { volumes } = await observe()
      await setGroup('master-a', 'master', [zoneA()], 1)
      await running(1)

      await act({ action: 'delete-group', group: 'master-a' })

      expect(volumes).toHaveLength(1)
      expect(volumes[0]).toMatchObject({ seat: 'a', etcd: 'main', zone: zoneA(), sizeGib: 1 })
      expect(await observe()).toMatchObject({ groups: [], machines: [], volumes })
    })

    test('a command on a machine runs there, and a failure says what and where', async () => {
      await ground()
      await setGroup('workers', 'node', [zoneA()], 1)
      const [machine] = await running(1)
      const id = machine?.id ?? ''

      await expect(cloud.host(`${id}-not`)).rejects.toMatchObject({ code: 'machine-missing' })
      expect((await cloud.host(id)).name).toBe(id)
    })

    test('what must not be: machines before the endpoint, a network taken from under them', async () => {
      await act({ action: 'create-network', egress: 'none' })
      await expect(setGroup('workers', 'node', [zoneA()], 1)).rejects.toMatchObject({
        code: 'endpoint-missing',
      })
      await act({ action: 'create-endpoint', port: 6443 })
      await setGroup('workers', 'node', [zoneA()], 1)
      await running(1)

      await expect(act({ action: 'delete-network' })).rejects.toMatchObject({ code: 'network-in-use' })
      await expect(act({ action: 'create-endpoint', port: 7443 })).rejects.toMatchObject({
        code: 'endpoint-differs',
      })
      await expect(act({ action: 'create-network', egress: 'nat' })).rejects.toMatchObject({
        code: 'network-differs',
      })
      await running(1)
    })

    test('deleting leaves nothing, and deleting nothing is no error', async () => {
      await ground()
      await createVolume('a')
      await setGroup('master-a', 'master', [zoneA()], 1)
      await running(1)
      const volume = (await observe()).volumes[0]?.id ?? ''
      const remove = async () => {
        await act({ action: 'delete-group', group: 'master-a' })
        await act({ action: 'delete-volume', volume })
        await act({ action: 'delete-endpoint' })
        await act({ action: 'delete-network' })
      }

      await remove()
      await remove()

      expect(await observe()).toEqual({ groups: [], machines: [], volumes: [] })
      expect(await cloud.clusters()).not.toContain(cluster)
    })
  })
}
