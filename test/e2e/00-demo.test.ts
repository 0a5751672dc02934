import { afterAll, expect, test } from 'vitest'
import { holdfast, mustRun } from './support/holdfast.ts'
import { machinesOf } from './support/machines.ts'
import { mustBeWell } from './support/state.ts'

afterAll(async () => {
  await holdfast(['delete', 'cluster', 'demo', '--yes'])
})

test('README’s first command: a cluster comes up, two masters are killed, nothing is lost, it goes on', async () => {
  const ran = await holdfast(['demo'], 280_000)

  const passed = ran.out.match(/^Killed \S+ in zone [abc] \((?:a follower|it led etcd main)\): passed$/gm)
  // The demo keeps to the bench's bounds, and says so where a busy machine does not hold them.
  expect(`${ran.code}\n${ran.err}${ran.out}`).toMatch(passed?.length === 2 ? /^0\n/ : /^1\n[\s\S]*✗ /)
  const [, follower, leader] = /^(a follower .*)\n(the leader .*)$/m.exec(ran.out) ?? []
  for (const row of [follower, leader]) {
    const [failed, gap, lost, strength] = (row ?? '').split(/ {2,}/).slice(1)
    expect(failed).toMatch(/^\d+ of [1-9]\d+$/)
    // Three times what the bench asserts.
    expect(Number.parseFloat(gap ?? '')).toBeLessThan(9)
    expect(lost).toMatch(/^0 of [1-9]\d+$/)
    expect(Number.parseFloat(strength ?? '')).toBeLessThan(90)
  }
  // What it watched is told as plain lines where there is no terminal.
  expect(ran.err).toMatch(/etcd main \d of 3 voters.*may lose/)

  const masters = (await machinesOf('master', 'demo')).map(({ id }) => id)
  expect(masters).toHaveLength(3)
  const killed = [...ran.out.matchAll(/Killed (\S+) in zone/g)].map(([, id]) => id)
  expect(masters.filter((id) => killed.includes(id))).toEqual([])

  // The next commands that it names are there to be typed.
  const next = ran.out.split('Try next:\n')[1]?.trim().split('\n') ?? []
  expect(next).toHaveLength(3)
  const nodes = await mustRun((next[0] ?? '').trim().split(' ').slice(1))
  expect(nodes.match(/ Ready /g)).toHaveLength(4)
  await mustBeWell('demo')
})
