import type { Command } from 'commander'
import type { Cli, CommonOptions } from '../context.ts'
import { optionsOf } from '../options.ts'

export function registerKubectl(program: Command, cli: Cli): void {
  program
    .command('kubectl [ARGUMENTS...]')
    .description('Run the bundled kubectl against a cluster.')
    .passThroughOptions()
    .allowUnknownOption()
    .helpOption(false)
    .addHelpText(
      'after',
      '\nExamples:\n  holdfast kubectl get nodes\n  holdfast --name try kubectl get pods -A\n  holdfast kubectl help get',
    )
    .action(async (words: string[], _: unknown, self: Command) => {
      const asksForHelp = words.length === 0 || ['--help', '-h'].includes(words[0] ?? '')
      if (asksForHelp) return self.outputHelp()
      const options = optionsOf<CommonOptions>(self)
      const name = await cli.clusterName(undefined, options)
      const { adminKubeconfigFile } = await import('../../operations/export-kubeconfig.ts')
      const { kubectlBinary } = await import('../../operations/kubectl.ts')
      const { kubeconfig, kubectl } = await cli.operate(options, async (operation) => ({
        kubeconfig: await adminKubeconfigFile(operation, name),
        kubectl: await kubectlBinary(operation, name),
      }))
      cli.exitCode = await cli.io.attach([kubectl, ...words], { ...cli.io.env, KUBECONFIG: kubeconfig })
    })
}
