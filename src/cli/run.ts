import type { Command, CommanderError } from 'commander'
import { type HoldfastError, InvalidInputError } from '../errors.ts'
import { refusedToUser } from '../permission.ts'
import { type Cli, createCli } from './context.ts'
import { exitCodes } from './exit-codes.ts'
import { errorAsData, exitCodeOf, formatError } from './format-error.ts'
import type { Io } from './io.ts'
import { type Place, placeOf } from './place.ts'
import { buildProgram } from './program.ts'

/**
 * Runs one command and gives its exit code (see docs/errors.md). Prints only through `io`, never
 * exits by itself, except on a second Ctrl-C.
 * @param argv the words after `holdfast`.
 */
export async function runCli(argv: readonly string[], io: Io): Promise<number> {
  const cli = createCli(io)
  const program = buildProgram(cli)
  if (argv[0] === '__complete') {
    const { complete } = await import('./complete.ts')
    await complete(cli, program, argv.slice(1))
    return exitCodes.ok
  }
  try {
    await program.parseAsync([...argv], { from: 'user' })
    return cli.exitCode
  } catch (error) {
    return fail(cli, program, argv, error)
  }
}

function fail(cli: Cli, program: Command, argv: readonly string[], thrown: unknown): number {
  if (isHelp(thrown)) return thrown.exitCode === 0 ? exitCodes.ok : exitCodes.badInput
  const place = placeOf(program, argv)
  const error = isCommanderError(thrown)
    ? usageError(thrown, place)
    : (refusedToUser('Something that this command needs', thrown) ?? thrown)
  if (wantsJson(argv.slice(0, place.own))) {
    cli.data(`${JSON.stringify({ error: errorAsData(error) }, undefined, 2)}\n`)
  } else {
    cli.io.err(formatError(error, cli.colours, { trace: Boolean(cli.io.env['HOLDFAST_DEBUG']) }))
  }
  return exitCodeOf(error)
}

const isCommanderError = (error: unknown): error is CommanderError =>
  error instanceof Error && 'code' in error && String(error.code).startsWith('commander.')

const isHelp = (error: unknown): error is CommanderError =>
  isCommanderError(error) &&
  ['commander.helpDisplayed', 'commander.help', 'commander.version'].includes(error.code)

/** Commander's words, without its prefix, with the suggestion as the remedy. */
function usageError(error: CommanderError, place: Place): HoldfastError {
  const [first = '', ...rest] = error.message.replace(/^error: /, '').split('\n')
  const suggestion = rest.join(' ').replace(/^\((.*)\)$/, '$1')
  return new InvalidInputError(
    first.charAt(0).toUpperCase() + first.slice(1),
    [],
    suggestion || meantBy(error, place) || 'Add --help to see what this command understands.',
  )
}

/** `validate try` for `validate cluster try`. */
function meantBy({ code }: CommanderError, { command, path, operands }: Place): string | undefined {
  if (!['commander.unknownCommand', 'commander.unknownOption'].includes(code) || operands.length === 0)
    return undefined
  const verbs = command.commands.filter((verb) => verb.name() !== 'help')
  const verb = verbs.length === 1 ? verbs[0] : verbs.find((one) => one.name() === 'cluster')
  if (!verb) return undefined
  return `Did you mean \`${['holdfast', ...path, verb.name(), operands[0]].join(' ')}\`?`
}

/** Errors come in the form that was asked for, also when the words before it were wrong. */
function wantsJson(words: readonly string[]): boolean {
  return words.some(
    (word, index) =>
      word === '--output=json' ||
      word === '-ojson' ||
      ((word === '-o' || word === '--output') && words[index + 1] === 'json'),
  )
}
