import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Death, LocalCluster, LocalGroup, LocalMachine } from '../../../src/clouds/local/parts.ts'
import {
  type Action,
  reconcile,
  type Seen,
  type SeenMachine,
  withDeath,
} from '../../../src/clouds/local/reconcile.ts'

const now = Date.parse('2030-01-01T12:00:00Z')
const ago = (seconds: number) => new Date(now - seconds * 1000).toISOString()

interface Case {
  title: string
  seen: Seen
  expected: string[]
}

const cases = readFileSync(join(import.meta.dirname, 'reconcile.cases.txt'), 'utf8')
  .split(/^= /m)
  .slice(1)
  .map(parseCase)

describe('what the local cloud does next', () => {
  test.each(cases)('$title', ({ seen, expected }) => {
    const frozen = JSON.stringify(seen)

    const actions = reconcile(seen)

    expect(actions.map(inWords)).toEqual(expected)
    expect(JSON.stringify(seen)).toBe(frozen)
  })

  test('waiting says how many died, how quickly, and why', () => {
    const deaths = [death(2, 0), death(1, 0), { ...death(0, 0), reason: 'no space is left' }]
    const seen = {
      cluster: clusterOf([groupOf('m', 'master', ['a'], 1, deaths)]),
      machines: [],
      networkThere: true,
      now,
    }

    const [wait] = reconcile(seen)

    expect(wait).toMatchObject({ action: 'wait', until: now + 2_000 })
    expect(wait && 'reason' in wait && wait.reason).toBe(
      '3 machines of group m died within 20 s of their start; the last: no space is left',
    )
  })

  test('only the last deaths are kept', () => {
    let deaths: Death[] = []
    for (let count = 0; count < 50; count++) deaths = withDeath(deaths, death(50 - count, 1))

    expect(deaths).toHaveLength(5)
    expect(deaths.at(-1)).toEqual(death(1, 1))
  })
})

describe('whatever happens', () => {
  const machine = fc.record({
    alive: fc.boolean(),
    busy: fc.constantFrom(undefined, 'starting', 'stopping', 'removing'),
    mark: fc.constantFrom('none', 'restart', 'doomed'),
    zone: fc.constantFrom('a', 'b'),
  })
  const situation = fc.record({
    role: fc.constantFrom('master', 'node'),
    size: fc.integer({ min: 0, max: 4 }),
    machines: fc.array(machine, { maxLength: 5 }),
  })

  const build = ({
    role,
    size,
    machines,
  }: typeof situation extends fc.Arbitrary<infer T> ? T : never): Seen => ({
    cluster: clusterOf([groupOf('g', role as 'master' | 'node', ['a', 'b'], size)]),
    machines: machines.map(
      ({ alive, busy, mark, zone }, index): SeenMachine => ({
        machine: {
          ...machineOf(`g-0000${index}`, zone, role as 'master' | 'node', index),
          ...(mark === 'none' ? {} : { [mark]: 'asked for' }),
        },
        alive,
        ...(busy ? { busy: busy as 'starting' | 'stopping' | 'removing' } : {}),
      }),
    ),
    networkThere: true,
    now,
  })

  test('a group of masters never has more machines than its size whose end is not proven', () => {
    fc.assert(
      fc.property(situation, (given) => {
        const seen = build({ ...given, role: 'master' })
        const standing = seen.machines.filter(({ busy }) => busy !== 'removing').length
        const starts = reconcile(seen).filter(({ action }) => action === 'start-machine').length
        expect(starts === 0 || standing + starts <= given.size).toBe(true)
      }),
    )
  })

  test('nothing is begun on a machine that is busy, and one thing at most on any other', () => {
    fc.assert(
      fc.property(situation, (given) => {
        const seen = build(given)
        const touched = reconcile(seen).flatMap((action) => ('machine' in action ? [action.machine] : []))
        const busy = seen.machines.filter((one) => one.busy).map(({ machine }) => machine.id)
        expect(touched.filter((id) => busy.includes(id))).toEqual([])
        expect(new Set(touched).size).toBe(touched.length)
      }),
    )
  })

  test('workers reach the size in one go: kept, minus surplus, plus started', () => {
    fc.assert(
      fc.property(situation, (given) => {
        const seen = build({
          ...given,
          role: 'node',
          machines: given.machines.map((one) => ({ ...one, busy: undefined })),
        })
        const actions = reconcile(seen)
        const gone = new Set(
          actions.flatMap((one) =>
            one.action === 'terminate-machine' || one.action === 'remove-dead' ? [one.machine] : [],
          ),
        )
        const stay = seen.machines.filter(({ machine }) => !gone.has(machine.id)).length
        expect(stay + actions.filter(({ action }) => action === 'start-machine').length).toBe(given.size)
      }),
    )
  })
})

function parseCase(text: string): Case {
  const [title = '', ...lines] = text.split('\n').map((line) => line.trim())
  const groups: LocalGroup[] = []
  const machines: SeenMachine[] = []
  const expected: string[] = []
  let networkThere = true
  let balancerDied = false
  let targets: { name: string; address: string }[] | undefined
  for (const line of lines) {
    const words = line.split(' ')
    const [kind, name = '', ...rest] = words
    if (kind === '->') expected.push(words.slice(1).join(' '))
    else if (kind === 'no') networkThere = false
    else if (kind === 'balancer' && name === 'died') balancerDied = true
    else if (kind === 'balancer') targets = name === '-' ? [] : [name, ...rest].map(target)
    else if (kind === 'group') {
      const [role, zones = '', size, , ...deaths] = rest
      const parsed = deaths.map((one) => death(Number(one.split('/')[0]), Number(one.split('/')[1])))
      groups.push(groupOf(name, role as 'master' | 'node', zones.split(','), Number(size), parsed))
    } else if (kind === 'machine') {
      const [zone = '', alive, ...marks] = rest
      const role = groups.find((group) => group.name === name.slice(0, -6))?.role ?? 'node'
      const busy = marks.find((mark) => ['starting', 'stopping', 'removing'].includes(mark))
      machines.push({
        machine: {
          ...machineOf(name, zone, role, machines.length),
          ...(marks.includes('restart') ? { restart: 'asked for' } : {}),
          ...(marks.includes('doomed') ? { doomed: 'asked for' } : {}),
        },
        alive: alive === 'alive',
        ...(busy ? { busy: busy as 'starting' | 'stopping' | 'removing' } : {}),
      })
    } else if (line !== '') throw new Error(`not understood: ${line}`)
  }
  const seen = {
    cluster: clusterOf(groups),
    machines,
    networkThere,
    now,
    ...(targets ? { balancer: { alive: !balancerDied, targets } } : {}),
  }
  return { title, seen, expected }
}

function inWords(action: Action): string {
  switch (action.action) {
    case 'recover-network':
      return `recover-network ${action.restart.join(' ')}`
    case 'start-machine':
      return `start-machine ${action.group} ${action.zone}`
    case 'terminate-machine':
      return `terminate-machine ${action.machine} ${action.reason}`
    case 'set-targets':
      return `set-targets ${action.targets.map((one) => one.name).join(' ') || '-'}`
    case 'wait':
      return `wait ${action.group} ${(action.until - now) / 1000}`
    case 'start-balancer':
      return 'start-balancer'
    default:
      return `${action.action} ${action.machine}`
  }
}

/** Masters stand first in every case: the first has 10.0.0.2. */
function target(word: string): { name: string; address: string } {
  const [name = '', address = '10.0.0.2'] = word.split('@')
  return { name, address }
}

function death(secondsAgo: number, livedSeconds: number): Death {
  return { machine: 'x', at: ago(secondsAgo), livedMs: livedSeconds * 1000 }
}

function clusterOf(groups: LocalGroup[]): LocalCluster {
  const network = { cidr: '10.0.0.0/24', gateway: '10.0.0.1', device: 'hf-000000-0', egress: 'none' as const }
  return {
    name: 'c',
    index: 0,
    network,
    groups: Object.fromEntries(groups.map((group) => [group.name, group])),
  }
}

function groupOf(
  name: string,
  role: 'master' | 'node',
  zones: string[],
  size: number,
  deaths: Death[] = [],
): LocalGroup {
  const userData = { cluster: 'c', group: name, role, kubernetesVersion: '1.36.3', agentSha256: '' }
  return { name, role, zones, size, userData, deaths }
}

function machineOf(id: string, zone: string, role: 'master' | 'node', order: number): LocalMachine {
  const address = `10.0.0.${order + 2}`
  const bootedAt = ago(3600 - order)
  return {
    id,
    cluster: 'c',
    group: id.slice(0, -6),
    role,
    zone,
    address,
    bootedAt,
    state: 'running',
    device: '',
  }
}
