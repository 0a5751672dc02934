import type { Command } from 'commander'
import type { Cli } from '../context.ts'
import type { DemoOptions } from '../demo.ts'
import { exitCodes } from '../exit-codes.ts'
import { optionsOf, waitOption, withCommonOptions } from '../options.ts'

export function registerDemo(program: Command, cli: Cli): void {
  const demo = program
    .command('demo')
    .description('Bring up three masters and a worker here, kill masters, and show how they come back.')
    .addHelpText(
      'after',
      `
The cluster is called demo, whatever HOLDFAST_CLUSTER says, and stays, so that you can go on with it.

Examples:
  holdfast demo
  holdfast demo --name try`,
    )
  withCommonOptions(demo)
    .addOption(waitOption('longest wait until the cluster works', 1_200_000, '20m'))
    .option('--yes', 'kill masters of a cluster that was there before and is not called demo')
    .action(async (_: unknown, self: Command) => {
      const options = optionsOf<DemoOptions>(self)
      const { demoName, runDemo } = await import('../demo.ts')
      const passed = await runDemo(cli, options.name ?? demoName, options)
      cli.exitCode = passed ? exitCodes.ok : exitCodes.failed
    })
}
