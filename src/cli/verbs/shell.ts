import type { Command } from 'commander'
import type { Cli, CommonOptions } from '../context.ts'
import { optionsOf, withCommonOptions } from '../options.ts'

export function registerShell(program: Command, cli: Cli): void {
  const shell = program
    .command('shell <MACHINE> [COMMAND...]')
    .description('Open a shell on a machine, or run a command there.')
    .passThroughOptions()
    .addHelpText(
      'after',
      '\nExamples:\n  holdfast shell master-a-x7k2p\n  holdfast shell master-a-x7k2p ip route',
    )
  withCommonOptions(shell).action(async (machine: string, words: string[], _: unknown, self: Command) => {
    const options = optionsOf<CommonOptions>(self)
    const { shellCommand } = await import('../../operations/shell.ts')
    const command = await cli.operate(options, (operation) =>
      shellCommand(operation, machine, {
        cluster: cli.givenName(undefined, options),
        // What comes behind `--` is the command; the mark itself is not part of it.
        command: words[0] === '--' ? words.slice(1) : words,
      }),
    )
    cli.exitCode = await cli.io.attach(command)
  })
}
