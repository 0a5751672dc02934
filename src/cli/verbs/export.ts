import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { Cli, CommonOptions } from '../context.ts'
import { optionsOf, withCommonOptions } from '../options.ts'
import { whenMade } from '../when-made.ts'

const examples = `
Examples:
  holdfast export kubeconfig try
  holdfast export kubeconfig try --kubeconfig ./try.yaml`

export function registerExport(program: Command, cli: Cli): void {
  const parent = program
    .command('export')
    .description('Write a cluster’s kubeconfig.')
    .addHelpText('after', examples)
  const kubeconfig = parent
    .command('kubeconfig [NAME]')
    .description('Merge the context holdfast-NAME into your kubeconfig file, or write it elsewhere.')
    .option('--kubeconfig <file>', 'the file to merge into (default: KUBECONFIG or ~/.kube/config)')
    .option('--print', 'print a kubeconfig of its own instead')
    .addHelpText('after', examples)
  withCommonOptions(kubeconfig).action(async (argument: string | undefined, _: unknown, self: Command) => {
    const options = optionsOf<CommonOptions & { kubeconfig?: string; print?: boolean }>(self)
    const name = await cli.clusterName(argument, options)
    const { checkKubeconfig, exportKubeconfig, renderAdminKubeconfig } = await import(
      '../../operations/export-kubeconfig.ts'
    )
    await cli.operate(options, async (opened) => {
      const named = options.kubeconfig && [resolve(cli.io.cwd, options.kubeconfig)]
      const operation = named ? { ...opened, kubeconfig: { ...opened.kubeconfig, files: named } } : opened
      if (options.print) {
        cli.data(await whenMade(operation, name, () => renderAdminKubeconfig(operation, name)))
        return
      }
      await checkKubeconfig(operation)
      const { context, file } = await whenMade(operation, name, () => exportKubeconfig(operation, name))
      cli.io.out(`Context ${cli.colours.bold(context)} is in ${file}.\n`)
    })
  })
}
