import { type Command, InvalidArgumentError, Option } from 'commander'
import type { CommonOptions } from './context.ts'

/** `--name` and `--state`, which every verb understands, before or after it. */
export function withCommonOptions(command: Command): Command {
  return command
    .addOption(new Option('--name <name>', 'the cluster (or HOLDFAST_CLUSTER)'))
    .addOption(new Option('--state <url>', 'the state store, file:///… (or HOLDFAST_STATE_STORE)'))
}

/** `--output`, where something is listed. */
export function withOutput(command: Command): Command {
  return command.addOption(
    new Option('-o, --output <format>', 'table, json or yaml')
      .choices(['table', 'json', 'yaml'])
      .default('table'),
  )
}

/** A verb's own options together with those given before it. */
export function optionsOf<T extends CommonOptions>(command: Command): T {
  return command.optsWithGlobals() as T
}

export function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.')
  return Number(text)
}

/** `--wait` with a default that is shown as a person would type it. */
export const waitOption = (description: string, defaultMs: number, shown: string): Option =>
  new Option('--wait <duration>', description).argParser(durationMs).default(defaultMs, shown)

/** `90s`, `5m`, `1h` or plain seconds, in milliseconds. */
export function durationMs(text: string): number {
  const match = /^(\d{1,6})(ms|s|m|h)?$/.exec(text)
  if (!match) throw new InvalidArgumentError('Write a duration such as 90s, 5m or 1h.')
  const units: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
  return Number(match[1]) * (units[match[2] ?? 's'] ?? 1000)
}
