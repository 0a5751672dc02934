import { type Command, Option } from 'commander'
import { components } from '../../operations/components.ts'
import type { Cli, CommonOptions } from '../context.ts'
import { optionsOf, suggesting, wholeNumber, withCommonOptions } from '../options.ts'

interface LogsOptions extends CommonOptions {
  component?: string
  follow?: boolean
  tail: number
}

export function registerLogs(program: Command, cli: Cli): void {
  const logs = program
    .command('logs <MACHINE>')
    .description('Show what a machine’s agent, kubelet, containerd or a control-plane component wrote.')
    .addHelpText(
      'after',
      `
Examples:
  holdfast logs master-a-x7k2p
  holdfast logs master-a-x7k2p --component kube-apiserver -f`,
    )
  withCommonOptions(logs)
    .addOption(suggesting(new Option('-c, --component <name>', 'whose log').default('agent'), components))
    .option('-f, --follow', 'go on until Ctrl-C')
    .addOption(new Option('--tail <lines>', 'how many lines').argParser(wholeNumber).default(200))
    .action(async (machine: string, _: unknown, self: Command) => {
      const options = optionsOf<LogsOptions>(self)
      const { logsCommand } = await import('../../operations/logs.ts')
      const command = await cli.operate(options, (operation) =>
        logsCommand(operation, machine, {
          cluster: cli.givenName(undefined, options),
          component: options.component ?? 'agent',
          follow: options.follow === true,
          tailLines: options.tail,
        }),
      )
      cli.exitCode = await cli.io.attach(command)
    })
}
