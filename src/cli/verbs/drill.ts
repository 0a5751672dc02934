import type { Command } from 'commander'
import { InvalidInputError } from '../../errors.ts'
import type { Cli, CommonOptions } from '../context.ts'
import { exitCodes } from '../exit-codes.ts'
import { optionsOf, withCommonOptions, withOutput } from '../options.ts'

interface DrillOptions extends CommonOptions {
  leader?: boolean
  follower?: boolean
  loseVolumes?: boolean
  force?: boolean
}

const examples = `
Examples:
  holdfast drill kill-master try --leader
  holdfast drill kill-master try --follower --lose-volumes`

export function registerDrill(program: Command, cli: Cli): void {
  const drill = program
    .command('drill')
    .description('Break something on purpose and judge what happens.')
    .addHelpText('after', examples)
  const kill = drill
    .command('kill-master [NAME]')
    .alias('kill-control-plane')
    .description('Kill one master’s machine while a client writes, and measure until all is well again.')
    .addHelpText('after', examples)
  withOutput(withCommonOptions(kill))
    .option('--leader', 'the machine that leads etcd main')
    .option('--follower', 'another one (default)')
    .option('--lose-volumes', 'its etcd volumes are lost too')
    .option('--force', 'even when the cluster is not at full strength')
    .action(async (argument: string | undefined, _: unknown, self: Command) => {
      const options = optionsOf<DrillOptions>(self)
      if (options.leader && options.follower) {
        throw new InvalidInputError(
          'A machine cannot be leader and follower',
          [],
          'Choose one of --leader and --follower.',
        )
      }
      const name = await cli.clusterName(argument, options)
      const { runKillMaster } = await import('../drill-kill-master.ts')
      const report = await runKillMaster(cli, name, options, {
        which: options.leader ? 'leader' : 'follower',
        loseVolumes: options.loseVolumes === true,
        force: options.force === true,
      })
      cli.exitCode = report.judgement.passed ? exitCodes.ok : exitCodes.failed
    })
}
