import type { Command } from 'commander'
import type { Cli, CommonOptions } from '../context.ts'
import { exitCodes } from '../exit-codes.ts'
import { optionsOf, waitOption, withCommonOptions } from '../options.ts'

interface DemoOptions extends CommonOptions {
  wait: number
}

export function registerDemo(program: Command, cli: Cli): void {
  const demo = program
    .command('demo')
    .description('Bring up three masters and a worker here, kill masters, and show how they come back.')
    .addHelpText(
      'after',
      `
The cluster is called demo and stays, so that you can go on with it.

Examples:
  holdfast demo
  holdfast demo --name try`,
    )
  withCommonOptions(demo)
    .addOption(waitOption('longest wait until the cluster works', 1_200_000, '20m'))
    .action(async (_: unknown, self: Command) => {
      const options = optionsOf<DemoOptions>(self)
      const { runDemo } = await import('../demo.ts')
      const passed = await runDemo(cli, cli.givenName(undefined, options) ?? 'demo', options)
      cli.exitCode = passed ? exitCodes.ok : exitCodes.failed
    })
}
