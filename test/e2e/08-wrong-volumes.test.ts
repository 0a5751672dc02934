import { randomUUID } from 'node:crypto'
import { copyFileSync, renameSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Stamp } from '../../src/quorum/records.ts'
import { type Target, targetOf } from './support/client.ts'
import { nothingLost, votersOf } from './support/expectations.ts'
import { cloud, inside, inventory, masterOf, tryInside } from './support/machines.ts'
import { clusterName } from './support/place.ts'
import { mustBeWell, sharedCluster } from './support/state.ts'
import { changeStamp, damageLog, imageOf, releaseLoop } from './support/volume-file.ts'
import { defined, eventually, throughout } from './support/wait.ts'
import { startWriter } from './support/writer.ts'

let target: Target
let voters: Map<string, string>

beforeAll(async () => {
  await sharedCluster()
  target = targetOf(clusterName)
  voters = await votersOf('main')
})

const mount = '/var/lib/holdfast/volumes/main'

const volumeOf = async (seat: string): Promise<string> =>
  defined(
    (await inventory()).volumes.find((one) => one.seat === seat && one.etcd === 'main'),
    `volume of seat ${seat}`,
  ).id

/** The master boots and gets no volumes yet, so that they can be changed. */
async function bootWithout(seat: string): Promise<string> {
  const { id } = await masterOf(seat)
  await cloud().power(id, 'reboot', { withholdVolumes: true })
  await eventually('no volume is attached', 20_000, async () => {
    const { volumes } = await inventory()
    expect(volumes.filter(({ attachedTo }) => attachedTo === id)).toEqual([])
  })
  return id
}

/** The agent has looked, says why not, and starts nothing; what is on the volume stays as it is. */
async function mustBeRefused(machine: string, why: RegExp): Promise<void> {
  await cloud().releaseVolumes(machine)
  await eventually('the agent refuses', 60_000, async () =>
    expect(await inside({ id: machine }, 'journalctl --no-pager -q -b -u holdfast-agent')).toMatch(why),
  )
  const listing = `cd ${mount} && cat holdfast.json && find . -path './*/member/wal/*' | sort`
  const found = await inside({ id: machine }, listing)
  expect(found).toContain('.wal')
  await throughout(
    10_000,
    async () => {
      const pods = await inside({ id: machine }, 'ls /etc/kubernetes/manifests')
      // Nor an apiserver, which would have no etcd to speak to.
      expect(pods).not.toMatch(/etcd-main|kube-apiserver/)
      expect((await tryInside({ id: machine }, "pgrep -f '^etcd .*:2379'")).stdout).toBe('')
      expect(await inside({ id: machine }, listing)).toBe(found)
    },
    1_000,
  )
}

describe('a volume that is not this seat’s own is refused and left as it is', () => {
  test('one of another cluster, and a clone; put right, the same member returns', async () => {
    const volume = await volumeOf('c')
    const writer = await startWriter(target)

    let machine = await bootWithout('c')
    const own = changeStamp(volume, (stamp): Stamp => ({ ...stamp, uuid: randomUUID() }))
    await mustBeRefused(machine, /etcd main: refuse: volume \S+ belongs to another cluster/)

    machine = await bootWithout('c')
    changeStamp(volume, () => ({ ...own, volumeId: 'c-main-00000' }))
    await mustBeRefused(machine, /etcd main: refuse: volume \S+ is a copy of volume c-main-00000/)

    machine = await bootWithout('c')
    changeStamp(volume, () => own)
    await cloud().releaseVolumes(machine)
    await mustBeWell()
    expect(await votersOf('main')).toEqual(voters)
    nothingLost(await writer.stop(), 100)
  })

  test('another seat’s, copied over its own; put right, the same member returns', async () => {
    const [mine, others] = [await volumeOf('c'), await volumeOf('a')]
    const machine = await bootWithout('c')
    releaseLoop(mine)
    renameSync(imageOf(mine), `${imageOf(mine)}.aside`)
    // A copy of a volume in use, as a snapshot would be.
    copyFileSync(imageOf(others), imageOf(mine))
    await mustBeRefused(machine, /etcd main: refuse: volume \S+ belongs to seat a/)

    const again = await bootWithout('c')
    releaseLoop(mine)
    renameSync(`${imageOf(mine)}.aside`, imageOf(mine))
    await cloud().releaseVolumes(again)

    await mustBeWell()
    expect(await votersOf('main')).toEqual(voters)
  })
})

test('a member whose data is damaged is set aside when its machine boots, and joins again under a new id', async () => {
  const writer = await startWriter(target)
  const volume = await volumeOf('c')
  const machine = await bootWithout('c')
  damageLog(volume)

  await cloud().releaseVolumes(machine)

  const said = () => inside({ id: machine }, 'journalctl --no-pager -q -b -u holdfast-agent')
  await eventually('it is set aside', 120_000, async () =>
    expect(await said()).toMatch(/etcd main: set-aside: the member's data is corrupt: ./),
  )
  await mustBeWell()
  const now = await votersOf('main')
  expect([...now.keys()]).toEqual([...voters.keys()])
  for (const seat of ['a', 'b']) expect(now.get(seat)).toBe(voters.get(seat))
  expect(now.get('c')).not.toBe(voters.get('c'))
  // Nothing is deleted: what was damaged can still be looked at.
  const kept = await inside({ id: machine }, `find ${mount}/set-aside-* -name '*.wal'`)
  expect(kept).toContain(`set-aside-${voters.get('c')?.padStart(16, '0')}`)
  nothingLost(await writer.stop(), 100)
})
