import { type Command, InvalidArgumentError, Option } from 'commander'
import { InvalidInputError } from '../errors.ts'
import type { CommonOptions } from './context.ts'

/** `--name` and `--state`, which every verb understands, before or after it. */
export function withCommonOptions(command: Command): Command {
  return command
    .addOption(new Option('--name <name>', 'the cluster (or HOLDFAST_CLUSTER)').argParser(once))
    .addOption(
      new Option('--state <url>', 'the state store, file:///… (or HOLDFAST_STATE_STORE)').argParser(once),
    )
}

/** A cluster or a store that was named twice is never guessed. */
function once(value: string, former: string | undefined): string {
  if (former === undefined || former === value) return value
  throw new InvalidArgumentError(`Another one was given before: ${former}`)
}

/** `--output`, where something is listed. */
export function withOutput(command: Command): Command {
  return command.addOption(
    new Option('-o, --output <format>', 'in which form to print')
      .choices(['table', 'json', 'yaml'])
      .default('table'),
  )
}

/**
 * A verb's own options together with those given before it; what is given last counts.
 * @throws InvalidInputError when two different clusters or stores are named.
 */
export function optionsOf<T extends CommonOptions>(command: Command): T {
  const levels: Command[] = []
  for (let level: Command | null = command; level; level = level.parent) levels.unshift(level)
  const given = levels.flatMap((level) =>
    Object.entries(level.opts()).filter(([key]) => level.getOptionValueSource(key) !== 'default'),
  )
  for (const key of ['name', 'state']) {
    const [first, second] = new Set(given.filter(([other]) => other === key).map(([, value]) => value))
    if (second !== undefined) throw givenTwice(`--${key}`, String(first), String(second))
  }
  return { ...command.opts(), ...Object.fromEntries(given) } as T
}

const givenTwice = (option: string, first: string, second: string) =>
  new InvalidInputError(
    `Two different values of ${option} were given: ${first} and ${second}`,
    [],
    'Give one of them. Nothing was changed.',
  )

/** Words that help and completion show; others may do too, and the verb tells which do not. */
export const suggesting = (option: Option, words: readonly string[]): Option =>
  Object.assign(option, { argChoices: [...words] })

export function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.')
  return Number(text)
}

/** `--wait` with a default that is shown as a person would type it. */
export const waitOption = (description: string, defaultMs: number, shown: string): Option =>
  new Option('--wait <duration>', description).argParser(durationMs).default(defaultMs, shown)

const unitsMs: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** `90s`, `2m30s`, `1h` or plain seconds, in milliseconds. */
export function durationMs(text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text) * 1000
  if (!/^(\d{1,6}(ms|s|m|h))+$/.test(text))
    throw new InvalidArgumentError('Write a duration such as 90s, 2m30s or 1h.')
  return [...text.matchAll(/(\d+)(ms|[smh])/g)].reduce(
    (sum, [, count, unit = 's']) => sum + Number(count) * (unitsMs[unit] ?? 0),
    0,
  )
}
