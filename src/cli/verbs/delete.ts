import type { Command } from 'commander'
import { InvalidInputError } from '../../errors.ts'
import type { Cli, CommonOptions } from '../context.ts'
import { optionsOf, withCommonOptions, withOutput } from '../options.ts'
import { printData } from '../print.ts'
import { showPlan } from '../show-plan.ts'

interface DeleteOptions extends CommonOptions {
  yes?: boolean
}

const examples = `
Assets and installed packages stay. A deletion that was stopped is finished by the same command.

Examples:
  holdfast delete cluster try           What would go
  holdfast delete cluster try --yes     Remove it, its data too`

export function registerDelete(program: Command, cli: Cli): void {
  const remove = program
    .command('delete')
    .description('Remove a cluster with everything that was made for it.')
    .addHelpText('after', examples)
  const cluster = remove
    .command('cluster [NAME]')
    .description('Show what would go; with --yes remove it. Never guesses a name.')
    .addHelpText('after', examples)
  withOutput(withCommonOptions(cluster))
    .option('-y, --yes', 'really remove it, its data too')
    .action(async (argument: string | undefined, _: unknown, self: Command) => {
      const options = optionsOf<DeleteOptions>(self)
      const name = cli.givenName(argument, options)
      if (name === undefined) {
        throw new InvalidInputError(
          'Which cluster? A deletion never guesses',
          [],
          'Name it: `holdfast delete cluster NAME --yes`.',
        )
      }
      const { deleteCluster, planDeletion } = await import('../../operations/delete.ts')
      if (!options.yes) {
        const steps = await cli.operate(options, (operation) => planDeletion(operation, name))
        showPlan(cli, { cluster: name, steps, problems: [] }, options, 'deletion')
        return
      }
      await cli.operate(options, (operation) => deleteCluster(operation, name))
      const { output = 'table' } = options
      if (output !== 'table') printData(cli, { cluster: name, state: 'gone' }, output)
      else cli.io.out(`Cluster ${cli.colours.bold(name)} is gone.\n`)
    })
}
