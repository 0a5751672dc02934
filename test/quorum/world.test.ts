import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { run, step, wholeTurn } from './agent.ts'
import { harm } from './harm.ts'
import { bootNewMachine, isWhole, killAgent, newWorld, status, type World, write } from './world.ts'

/*
 * Stories: testdata/story-*.txt. Commands, then `----`, then what the agents did, one line a change of
 * mind (`SEAT  STEP: REASON`), what clients were told, and `status`. `#` begins a comment.
 * With UPDATE_TESTDATA=1 the answers are written anew, to be read before they are committed.
 *
 *   masters a b c          the declared seats; each gets a machine and an empty volume
 *   run                    every agent in turn until nothing changes
 *   turn SEAT              one look and one step of this agent
 *   until SEAT TEXT        effects of this agent, one by one, until one contains TEXT; then it is killed
 *   write KEY              by a client, through any apiserver
 *   off SEAT | on SEAT     power; `on` boots the same machine
 *   replace SEAT           a new machine, with the seat's volume
 *   lose SEAT              a new machine with a new volume;  wipe SEAT: the same volume, emptied
 *   gut SEAT               its data is gone, the stamp is still there
 *   unmount SEAT | mount SEAT   |   corrupt SEAT   |   declare SEAT
 *   stick SEAT             its process runs on, and neither hears nor answers anybody
 *   cut SEAT | mend SEAT   its process answers agents, and is cut off from the other members
 *   forget SEAT            it follows, and what it holds keeps it from serving anybody
 *   looks SEAT N           so many looks of this agent, and in between something is written each time
 *   haunt SEAT             another machine, and this one lives on as `SEAT~`, with the seat's volume
 *   unlist SEAT            the cloud takes SEAT~ for dead;  bury SEAT: it is
 *   store away|back|save|restore|without-genesis
 *   status
 */
const folder = join(import.meta.dirname, 'testdata')
const separator = '----\n'

describe('stories', () => {
  const files = readdirSync(folder).filter((file) => file.startsWith('story-'))

  test.each(files)('%s', (file) => {
    const [commands = '', expected = ''] = readFileSync(join(folder, file), 'utf8').split(separator)

    const actual = tell(commands)

    if (process.env.UPDATE_TESTDATA === '1') {
      writeFileSync(join(folder, file), `${commands}${separator}${actual}`)
    } else expect(actual).toBe(expected)
  })
})

function tell(commands: string): string {
  let world: World = newWorld([])
  let saved: World['store'] = world.store
  const lines: string[] = []
  const say = (line: string): void => void lines.push(line)
  for (const command of commands.split('\n').filter((line) => line && !line.startsWith('#'))) {
    const [verb = '', one = '', ...words] = command.trim().split(/\s+/)
    lines.push(`> ${command}`)
    if (verb === 'masters') world = newWorld([one, ...words])
    else if (verb === 'run') run(world, say)
    else if (verb === 'turn') wholeTurn(world, one, say)
    else if (verb === 'until') say(`${one}  ${killedAt(world, one, words.join(' '))}; killed`)
    else if (verb === 'looks') takeLooks(world, one, Number(words[0]), say)
    else if (verb === 'write') say(write(world, one) ? 'acknowledged' : 'refused')
    else if (verb === 'declare') {
      world.declared.push(one)
      bootNewMachine(world, one)
    } else if (verb === 'status') for (const line of status(world)) say(line)
    else if (verb === 'store') saved = changeStore(world, one, saved)
    else harm(world, verb, one)
  }
  return `${lines.join('\n')}\n`
}

function takeLooks(world: World, name: string, count: number, say: (line: string) => void): void {
  for (let looks = 0; looks < count; looks += 1) {
    wholeTurn(world, name, say)
    write(world, 'meanwhile')
  }
}

function changeStore(world: World, how: string, saved: World['store']): World['store'] {
  if (how === 'save') return structuredClone(world.store)
  if (how === 'restore') world.store = structuredClone(saved)
  else if (how === 'without-genesis') delete world.store.genesis
  else world.store.away = how === 'away'
  return saved
}

/** Effects of one agent until one is `text`, where it is killed. */
function killedAt(world: World, seat: string, text: string): string {
  for (let effects = 0; effects < 200; effects += 1) {
    const done = step(world, seat)
    if (done?.includes(text)) {
      killAgent(world, seat)
      return done
    }
  }
  throw new Error(`seat ${seat} never came to: ${text}`)
}

describe('killed at every effect and run again ends the same', () => {
  const scenes: [string, () => World][] = [
    ['three found together', () => newWorld(['a', 'b', 'c'])],
    ['one founds', () => newWorld(['a'])],
    ['a loses its disk', () => damaged('lose')],
    ['the volume of a is emptied', () => damaged('wipe')],
    ['the data of a is gone, its stamp is there', () => damaged('gut')],
    ['the data of a is corrupt', () => damaged('corrupt')],
    ['the machine of a is replaced', () => damaged('replace')],
    ['a joins one master', () => damaged('join')],
  ]

  function damaged(how: string): World {
    const world = newWorld(how === 'join' ? ['b'] : ['a', 'b', 'c'])
    run(world)
    expect(write(world, 'before')).toBe(true)
    if (how === 'join') {
      world.declared.push('a')
      bootNewMachine(world, 'a')
    } else harm(world, how, 'a')
    return world
  }

  test.each(scenes)('%s', (_, scene) => {
    const straight = scene()
    run(straight)
    expect(isWhole(straight)).toBe(true)

    const kills = (['agent', 'machine'] as const).map((how) => {
      for (let after = 0; ; after += 1) {
        const world = scene()
        if (!killAfter(world, after, how)) return after
        run(world)
        expect(status(world), `killed (${how}) after effect ${after}`).toEqual(status(straight))
        expect(write(world, 'after')).toBe(true)
      }
    })

    expect(Math.min(...kills)).toBeGreaterThan(3)
  })

  /** Everyone goes on in turn; the agent or machine of a is killed after so many effects of its own. */
  function killAfter(world: World, effects: number, how: 'agent' | 'machine'): boolean {
    let own = 0
    for (let round = 0; round < 40; round += 1) {
      for (const seat of world.seats.keys()) {
        const done = step(world, seat)
        if (seat !== 'a' || done === undefined) continue
        if (own === effects) {
          killAgent(world, 'a')
          if (how === 'machine') harm(world, 'replace', 'a')
          return true
        }
        own += 1
      }
    }
    return false
  }
})
