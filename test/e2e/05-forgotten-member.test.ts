import { expect, test } from 'vitest'
import type { Machine } from '../../src/clouds/cloud.ts'
import type { DrillReport } from '../../src/drills/index.ts'
import { ensure, patch, targetOf } from './support/client.ts'
import { nothingLost, votersOf } from './support/expectations.ts'
import { holdfast } from './support/holdfast.ts'
import { etcdctl, inside, leads, machinesOf, masterOf } from './support/machines.ts'
import { clusterName } from './support/place.ts'
import { withMembersOf } from './support/raft-snapshot.ts'
import { mustBeWell, sharedCluster } from './support/state.ts'
import { defined, eventually } from './support/wait.ts'
import { startWriter } from './support/writer.ts'

/** As etcd 3.6 may leave one behind: see `src/etcd/member-flags.ts` and `etcd-forgotten-member.test.ts`. */
test('a member whose raft never learns of another that joined is found out, and joins again', async () => {
  await sharedCluster()
  const target = targetOf(clusterName)
  const before = await machinesOf('master')
  const earlier = new Map<string, Snapshot>()
  for (const machine of before) earlier.set(machine.id, await newestSnapshot(machine))

  const words = ['drill', 'kill-master', clusterName, '--follower', '--lose-volumes', '--output', 'json']
  const report = JSON.parse((await holdfast(words, 240_000)).out) as DrillReport
  const killed = defined(
    before.find(({ id }) => id === report.machine),
    'killed machine',
  )
  const leader = defined(
    before.find(({ id }) => id === report.leaderBefore),
    'leader',
  )
  const forgetful = defined(
    before.find((one) => one !== killed && one !== leader),
    'another follower',
  )
  const seatOf = ({ group }: Machine): string => group.replace('master-', '')
  const voters = await eventually('three voters', 60_000, () => votersOf('main'))
  const joined = defined(voters.get(seatOf(killed)), 'new member')
  const { name } = await newestSnapshot(forgetful)
  await eventually('a snapshot with the new member', 60_000, async () => {
    await writeMuch()
    expect((await newestSnapshot(forgetful)).name).not.toBe(name)
  })

  const writer = await startWriter(target)
  await forget(forgetful, defined(earlier.get(forgetful.id), 'earlier snapshot'))
  await eventually('the new member leads', 30_000, async () => {
    await etcdctl(leader, 'main', `move-leader ${joined}`).catch(() => '')
    expect(await leads(await masterOf(seatOf(killed)), 'main')).toBe(true)
  })

  await eventually('it joins again', 120_000, async () => {
    const journal = await inside(forgetful, 'journalctl --no-pager -q -b -u holdfast-agent')
    expect(journal).toMatch(
      /etcd main: set-aside: the member's data is corrupt: .*Validation on configuration/,
    )
    const now = await votersOf('main')
    expect(now.get(seatOf(forgetful))).not.toBe(voters.get(seatOf(forgetful)))
    for (const machine of [killed, leader]) {
      expect(now.get(seatOf(machine))).toBe(voters.get(seatOf(machine)))
    }
  })
  await mustBeWell()
  nothingLost(await writer.stop(), 100)

  /** Some hundred entries in the log of `main`. */
  async function writeMuch(): Promise<void> {
    const maps = '/api/v1/namespaces/default/configmaps'
    const metadata = { name: 'much' }
    await ensure(target, maps, { apiVersion: 'v1', kind: 'ConfigMap', metadata })
    for (let round = 0; round < 10; round++) {
      const values = Array.from({ length: 20 }, () => `${Math.random()}`)
      await Promise.all(values.map((value) => patch(target, `${maps}/much`, { data: { value } })))
    }
  }
})

interface Snapshot {
  /** `TERM-INDEX.snap`, sixteen hexadecimal digits each. */
  name: string
  content: Buffer
}

async function folderOf(machine: Machine): Promise<string> {
  const manifest = await inside(machine, 'cat /etc/kubernetes/manifests/etcd-main.yaml')
  const { volumes } = (
    JSON.parse(manifest) as { spec: { volumes: { name: string; hostPath: { path: string } }[] } }
  ).spec
  const data = defined(
    volumes.find(({ name }) => name === 'data'),
    'volume for data',
  )
  return `${data.hostPath.path}/member/snap`
}

async function newestSnapshot(machine: Machine): Promise<Snapshot> {
  const script = `cd ${await folderOf(machine)} && name=$(ls *.snap | tail -n 1) && echo $name && base64 -w 0 $name`
  const [name = '', content = ''] = (await inside(machine, script)).split('\n')
  return { name, content: Buffer.from(content, 'base64') }
}

/** Ends the member and gives it back its earlier raft configuration with the members of now. */
async function forget(machine: Machine, earlier: Snapshot): Promise<void> {
  const { content } = await newestSnapshot(machine)
  const made = withMembersOf(earlier.content, content).toString('base64')
  await inside(
    machine,
    `pkill -STOP -x kubelet
    pkill -KILL -f '^etcd .*:2379'
    while pgrep -f '^etcd .*:2379' >/dev/null; do sleep 0.1; done
    cd ${await folderOf(machine)} && for one in *.snap; do [ "$one" \\> "${earlier.name}" ] && rm "$one"; done
    echo ${made} | base64 -d >${earlier.name}
    pkill -CONT -x kubelet`,
  )
}
