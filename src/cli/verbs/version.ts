import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
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
      const holdfast = holdfastVersion()
      const versions = { holdfast, kubernetes: kubernetes.supportedVersions, node: process.versions.node }
      if (output === 'json' || output === 'yaml') return printData(cli, versions, output)
      cli.io.out(
        `holdfast ${holdfast}\nkubernetes ${kubernetes.supportedVersions.join(', ')}\nnode ${process.versions.node}\n`,
      )
    })
}

export function holdfastVersion(): string {
  const manifest: { version: string } = JSON.parse(
    readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
  )
  return manifest.version
}
