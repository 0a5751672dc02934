import type { Command } from 'commander'
import type { Cli, CommonOptions } from '../context.ts'
import { optionsOf, withCommonOptions } from '../options.ts'
import { whenMade } from '../when-made.ts'

const examples = `
What stands behind the first word for kubectl is kubectl's own, options too.

Examples:
  holdfast kubectl get nodes
  holdfast kubectl --name try get pods -A
  holdfast kubectl help get`

export function registerKubectl(program: Command, cli: Cli): void {
  const command = program
    .command('kubectl [ARGUMENTS...]')
    .description('Run the bundled kubectl against a cluster.')
    .passThroughOptions()
    .allowUnknownOption()
    .helpOption(false)
    .addHelpText('after', examples)
  withCommonOptions(command).action(async (words: string[], _: unknown, self: Command) => {
    const asksForHelp = words.length === 0 || ['--help', '-h'].includes(words[0] ?? '')
    if (asksForHelp) return self.outputHelp()
    const options = optionsOf<CommonOptions>(self)
    const { kubectl, env } = needsCluster(words) ? await kubectlFor(cli, options) : await kubectlAlone(cli)
    cli.exitCode = await cli.io.attach([kubectl, ...words], { ...cli.io.env, ...env })
  })
}

/** What kubectl answers by itself. */
export function needsCluster(words: readonly string[]): boolean {
  const [verb = ''] = words
  if (['help', 'options', 'completion'].includes(verb)) return false
  return !(verb === 'version' && words.includes('--client'))
}

async function kubectlFor(cli: Cli, options: CommonOptions) {
  const name = await cli.clusterName(undefined, options)
  const [{ adminKubeconfigFile }, { kubectlBinary }, { pastProxy }] = await Promise.all([
    import('../../operations/export-kubeconfig.ts'),
    import('../../operations/kubectl.ts'),
    import('../../operations/proxy.ts'),
  ])
  return cli.operate(options, async (operation) => {
    const { file, server } = await whenMade(operation, name, () => adminKubeconfigFile(operation, name))
    return {
      env: { KUBECONFIG: file, ...pastProxy(cli.io.env, server) },
      kubectl: await kubectlBinary(operation, name),
    }
  })
}

async function kubectlAlone(cli: Cli) {
  const { cachedKubectl } = await import('../../operations/kubectl.ts')
  return { kubectl: await cachedKubectl(cli.home()), env: {} }
}
