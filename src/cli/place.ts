import type { Command, Option } from 'commander'

/** Where some words lead in the tree of verbs. */
export interface Place {
  command: Command
  /** Names as they were typed: `drill`, `kill-control-plane`. */
  path: string[]
  /** The arguments of that command so far. */
  operands: string[]
  /** Options with their values, those before the verb too; the last of each. */
  values: Map<string, string>
  /** The option whose value would be the next word. */
  pending: Option | undefined
  /** How many words are Holdfast's own. */
  own: number
  /** From the first word that is for another program on (`kubectl get`, `shell MACHINE ip`), or after `--`. */
  passedOn: boolean
}

/** Their first argument and all that follows are for another program: `kubectl get …`, `shell MACHINE ip …`. */
const handingOn = ['kubectl', 'shell']

/** Follows words from verb to verb as they will be parsed, and never fails: what is unknown is passed over. */
export function placeOf(program: Command, words: readonly string[]): Place {
  const place: Place = {
    command: program,
    path: [],
    operands: [],
    values: new Map(),
    pending: undefined,
    own: 0,
    passedOn: false,
  }
  for (const word of words) {
    if (place.passedOn) place.operands.push(word)
    else if (place.pending) give(place, place.pending, word)
    else if (word === '--') place.passedOn = true
    else if (/^-./.test(word)) takeOption(place, word)
    else takeWord(place, word)
    if (!place.passedOn) place.own++
  }
  return place
}

function takeOption(place: Place, word: string): void {
  const { options } = place.command
  const named = options.find(({ long, short }) => word === long || word === short)
  if (named) {
    if (named.required) place.pending = named
    return
  }
  for (const option of options.filter(({ required }) => required)) {
    if (option.long && word.startsWith(`${option.long}=`))
      give(place, option, word.slice(option.long.length + 1))
    else if (option.short && word.startsWith(option.short))
      give(place, option, word.slice(option.short.length))
  }
}

function give(place: Place, option: Option, value: string): void {
  place.values.set(option.attributeName(), value)
  place.pending = undefined
}

function takeWord(place: Place, word: string): void {
  const { command, operands } = place
  const verb = operands.length === 0 ? verbOf(command, word) : undefined
  if (verb) {
    place.command = verb
    place.path.push(word)
    return
  }
  operands.push(word)
  place.passedOn = handingOn.includes(command.name())
}

const verbOf = (command: Command, word: string): Command | undefined =>
  command.commands.find((verb) => verb.name() === word || verb.aliases().includes(word))
