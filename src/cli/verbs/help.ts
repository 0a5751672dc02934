import type { Command } from 'commander'
import { InvalidInputError } from '../../errors.ts'
import type { Cli } from '../context.ts'
import { placeOf } from '../place.ts'

/** `help create cluster`; commander's own help looks at one word only. */
export function registerHelp(program: Command, _: Cli): void {
  program
    .command('help [COMMAND...]')
    .description('Show what a command does.')
    .addHelpText('after', '\nExamples:\n  holdfast help\n  holdfast help create cluster')
    .action((words: string[]) => {
      const { command, operands } = placeOf(program, words)
      const [unknown] = operands
      if (unknown !== undefined && command.commands.length > 0) {
        throw new InvalidInputError(
          `There is no command "${words.join(' ')}"`,
          [],
          `See \`holdfast ${['help', ...words.slice(0, words.indexOf(unknown))].join(' ')}\`.`,
        )
      }
      command.outputHelp()
    })
}
