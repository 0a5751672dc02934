import type { Command } from 'commander'
import type { Cli, CommonOptions } from '../context.ts'
import { readInput } from '../declare.ts'
import { optionsOf, withCommonOptions, withOutput } from '../options.ts'
import { showPlan } from '../show-plan.ts'

export function registerReplace(program: Command, cli: Cli): void {
  const replace = program
    .command('replace')
    .description('Replace what is declared by the documents of a file, and show what would change.')
    .requiredOption(
      '-f, --filename <file>',
      'a file with a Cluster, InstanceGroups or both; - reads standard input',
    )
    .addHelpText(
      'after',
      `
Groups that the file does not name stay as they are.

Examples:
  holdfast get cluster try -o yaml > try.yaml
  holdfast replace -f try.yaml`,
    )
  withOutput(withCommonOptions(replace)).action(async (_: unknown, self: Command) => {
    const options = optionsOf<CommonOptions & { filename: string }>(self)
    const { text, file } = await readInput(cli, options.filename)
    const { replaceDeclared } = await import('../../operations/replace.ts')
    const { planCluster } = await import('../../operations/plan.ts')
    const plan = await cli.operate(options, async (operation) => {
      const name = await replaceDeclared(operation, {
        text,
        file,
        cluster: cli.givenName(undefined, options),
      })
      return planCluster(operation, name)
    })
    showPlan(cli, plan, options, 'planned')
  })
}
