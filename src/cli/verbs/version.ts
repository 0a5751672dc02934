import type { Command } from 'commander'
import packageJson from '../../../package.json' with { type: 'json' }
import { kubernetes } from '../../constants.ts'
import type { Cli, CommonOptions } from '../context.ts'
import { optionsOf, withCommonOptions, withOutput } from '../options.ts'
import { printData } from '../print.ts'

export function registerVersion(program: Command, cli: Cli): void {
  const version = program.command('version').description('Show the versions of Holdfast and of what it runs.')
  withOutput(withCommonOptions(version))
    .addHelpText('after', '\nExamples:\n  holdfast version\n  holdfast version -o json')
    .action((_: unknown, self: Command) => {
      const { output } = optionsOf<CommonOptions>(self)
      const holdfast = packageJson.version
      const versions = { holdfast, kubernetes: kubernetes.supportedVersions, node: process.versions.node }
      if (output === 'json' || output === 'yaml') return printData(cli, versions, output)
      cli.io.out(
        `holdfast ${holdfast}\nkubernetes ${kubernetes.supportedVersions.join(', ')}\nnode ${process.versions.node}\n`,
      )
    })
}
