import type { Command } from 'commander'
import type { Cli, CommonOptions } from '../context.ts'
import { optionsOf, withCommonOptions, withOutput } from '../options.ts'
import { showPlan } from '../show-plan.ts'

interface UpdateOptions extends CommonOptions {
  yes?: boolean
}

const examples = `
Examples:
  holdfast update cluster try           The plan
  holdfast update cluster try --yes     Carried out, step by step`

export function registerUpdate(program: Command, cli: Cli): void {
  const update = program
    .command('update')
    .description('Make what is there equal to what is declared.')
    .addHelpText('after', examples)
  const cluster = update
    .command('cluster [NAME]')
    .description('Show the steps that are needed; with --yes carry them out.')
    .addHelpText('after', examples)
  withOutput(withCommonOptions(cluster))
    .option('-y, --yes', 'carry the steps out')
    .action(async (argument: string | undefined, _: unknown, self: Command) => {
      const options = optionsOf<UpdateOptions>(self)
      const name = await cli.clusterName(argument, options)
      if (!options.yes) {
        const { planCluster } = await import('../../operations/plan.ts')
        const plan = await cli.operate(options, (operation) => planCluster(operation, name))
        showPlan(cli, plan, options, 'planned')
        return
      }
      const { applyCluster } = await import('../../operations/apply.ts')
      const applied = await cli.operate(options, (operation) => applyCluster(operation, name))
      showPlan(cli, applied, options, 'done')
    })
}
