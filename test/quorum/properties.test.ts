import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { faultTolerance } from '../../src/quorum/majority.ts'
import { killAgent, run, step } from './agent.ts'
import { groups } from './etcd-model.ts'
import { harm } from './harm.ts'
import { at, isWhole, majoritySurvives, newWorld, running, status, type World, write } from './world.ts'

/*
 * Anything in any order: agents' effects, clients' writes, kills, power cuts, lost and emptied disks,
 * unmounted volumes, damaged data, processes that are stuck, the store away or rolled back, locks that expire. The world itself throws
 * when two clusters acknowledge writes, when an acknowledged key is missing where there is a majority, and
 * when a removal leaves the healthy voters without one. A failure prints fast-check's seed and path.
 */
const seatNames = ['a', 'b', 'c', 'd', 'e']

interface Act {
  what: string
  seat: number
}

const weights: Record<string, number> = {
  step: 60,
  write: 8,
  'kill-agent': 6,
  replace: 3,
  off: 3,
  on: 6,
  lose: 2,
  wipe: 1,
  gut: 1,
  unmount: 1,
  mount: 2,
  corrupt: 1,
  stick: 2,
  expire: 4,
  'store-away': 1,
  'store-back': 3,
}
const withRollback = { ...weights, 'store-save': 2, 'store-restore': 2 }

const actsOf = (chances: Record<string, number>, most: number) =>
  fc.array(
    fc.record<Act>({
      what: fc.oneof(
        ...Object.entries(chances).map(([what, weight]) => ({ weight, arbitrary: fc.constant(what) })),
      ),
      seat: fc.nat(4),
    }),
    { maxLength: most, size: 'max' },
  )

/** More for a hunt; on a machine that is busy with other things, what fits into a few seconds. */
const hunted = process.env.QUORUM_RUNS
const parameters = hunted
  ? { numRuns: Number(hunted) }
  : { numRuns: 120, interruptAfterTimeLimit: 3_000, markInterruptAsFailure: false }
const timeoutMs = hunted ? 600_000 : 30_000
const masters = fc.constantFrom(1, 3, 3, 3, 5)

/** Plays it; numbers for chance come from `chances`, again and again. */
function play(
  count: number,
  acts: readonly Act[],
  chances: readonly number[],
  formed?: { savedAfter: number; mostLosses: number },
): World {
  let losses = 0
  let drawn = 0
  const choose = (below: number): number => {
    drawn += 1
    return below === 0 ? 0 : (chances[drawn % chances.length] ?? 0) % below
  }
  const world = newWorld(seatNames.slice(0, count), choose)
  for (let effects = 0; effects < (formed?.savedAfter ?? 0); effects += 1) {
    step(world, seatNames[effects % count] ?? 'a')
  }
  let saved = structuredClone(world.store)
  if (formed) run(world)
  for (const [index, { what, seat: number }] of acts.entries()) {
    const seat = seatNames[number % count] ?? 'a'
    // A few effects at a time: else hardly anything ever gets far.
    if (what === 'step') for (let effects = 0; effects < 4; effects += 1) step(world, seat)
    else if (what === 'write') write(world, `key-${index}`)
    else if (what === 'kill-agent') killAgent(world, seat)
    else if (what === 'expire') delete world.lock
    else if (what === 'store-away' || what === 'store-back') world.store.away = what === 'store-away'
    else if (what === 'store-save') saved = structuredClone(world.store)
    else if (what === 'store-restore') world.store = structuredClone(saved)
    else {
      if (['lose', 'wipe', 'gut', 'corrupt'].includes(what)) {
        // A store rolled back to before the cluster was formed, a disk lost, and nobody there who answers:
        // that is what a first boot looks like, and nothing that a machine can see tells the difference.
        const told = [saved, world.store].every(({ genesis }) => genesis?.value.phase === 'formed')
        losses += 1
        if (formed && (!told || losses > formed.mostLosses)) continue
      }
      harm(world, what, seat)
    }
  }
  return world
}

/** Faults stop: everyone has power and disk, the store answers, and time goes on. */
function heal(world: World): void {
  world.store.away = false
  world.choose = () => 0
  for (const seat of world.seats.keys()) {
    const it = at(world, seat)
    if (!it.mounted) harm(world, 'mount', seat)
    else if (!it.on) harm(world, 'on', seat)
    // While nobody has a quorum, nobody can tell who is stuck: kubelet's probes do.
    else if (it.stuck && groups(running(world)).length === 0) harm(world, 'on', seat)
  }
}

const chance = fc.array(fc.nat(9), { minLength: 7, maxLength: 23 })
const isStated = (last: string): boolean => /^(wait|refuse|stop|idle)\b.{10}/.test(last)

describe('whatever happens', () => {
  test(
    'nothing acknowledged is lost, and in the end all are voters or say why not',
    () => {
      let whole = 0
      let played = 0
      const property = fc.property(masters, actsOf(weights, 120), chance, (count, acts, chances) => {
        const world = play(count, acts, chances)

        heal(world)
        run(world)

        // A majority of disks is left, or nothing was formed yet and nothing is damaged: nobody is left waiting.
        const formed = world.store.genesis?.value.phase === 'formed'
        const damaged = [...world.seats.values()].some(({ disk }) => disk.data?.corrupt)
        const expected = formed ? majoritySurvives(world) : !damaged
        if (expected) expect(isWhole(world), status(world).join('\n')).toBe(true)
        else for (const { last } of world.seats.values()) expect(last).toSatisfy(isStated)
        played += 1
        if (isWhole(world)) {
          whole += 1
          expect(write(world, 'last')).toBe(true)
        }
      })

      fc.assert(property, parameters)
      expect(whole).toBeGreaterThan(played / 4)
    },
    timeoutMs,
  )

  test(
    'nor when the store is rolled back, as far as to nothing',
    () => {
      const property = fc.property(
        masters,
        fc.nat(40),
        actsOf(withRollback, 100),
        chance,
        (count, savedAfter, acts, chances) => {
          // With store and disks gone together nothing is left that could tell; a majority of disks stays.
          const world = play(count, acts, chances, { savedAfter, mostLosses: faultTolerance(count) })

          heal(world)
          run(world)

          for (const { last } of world.seats.values()) expect(last).toSatisfy(isStated)
        },
      )

      fc.assert(property, parameters)
    },
    timeoutMs,
  )
})
