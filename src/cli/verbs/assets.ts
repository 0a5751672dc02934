import { resolve } from 'node:path'
import type { Command } from 'commander'
import { kubernetes } from '../../constants.ts'
import type { Cli, CommonOptions } from '../context.ts'
import { optionsOf, withCommonOptions, withOutput } from '../options.ts'
import { printData } from '../print.ts'
import { renderTable } from '../table.ts'

interface AssetOptions extends CommonOptions {
  kubernetesVersion: string
  bundle?: string
}

export function registerAssets(program: Command, cli: Cli): void {
  const assets = program
    .command('assets')
    .description('Binaries and images that machines are made from.')
    .addHelpText(
      'after',
      `
Looked for in this order: the cache, a bundle you name, the official releases, a build from source.

Examples:
  holdfast assets list
  holdfast assets fetch
  holdfast assets bundle holdfast-assets.tar   For a machine without a way out
  holdfast assets fetch --bundle holdfast-assets.tar`,
    )
  const withVersion = (command: Command) =>
    withCommonOptions(command).option(
      '--kubernetes-version <version>',
      'for which version of Kubernetes',
      kubernetes.defaultVersion,
    )

  withOutput(
    withVersion(
      assets
        .command('list')
        .description('List what is needed and what is there.')
        .addHelpText('after', '\nExamples:\n  holdfast assets list\n  holdfast assets list -o json'),
    ),
  ).action(async (_: unknown, self: Command) => {
    const options = optionsOf<AssetOptions>(self)
    const { listAssets } = await import('../../assets/list.ts')
    const items = await listAssets({ kubernetesVersion: options.kubernetesVersion, cache: cli.home().cache })
    if (options.output === 'json' || options.output === 'yaml') return printData(cli, items, options.output)
    cli.io.out(
      renderTable(
        ['asset', 'version', 'there', 'size', 'from'],
        items.map((item) => [
          item.name,
          item.version,
          item.present ? 'yes' : 'no',
          item.bytes === undefined ? '-' : `${Math.ceil(item.bytes / 1e6)} MB`,
          item.source ?? '-',
        ]),
      ),
    )
  })

  withVersion(
    assets
      .command('fetch')
      .description('Install what this machine lacks, and get or build everything now.')
      .addHelpText(
        'after',
        '\nExamples:\n  holdfast assets fetch\n  holdfast assets fetch --bundle holdfast-assets.tar',
      ),
  )
    .option('--bundle <file>', 'take them from a bundle where it has them')
    .action(async (_: unknown, self: Command) => {
      const options = optionsOf<AssetOptions>(self)
      const bundle = options.bundle && resolve(cli.io.cwd, options.bundle)
      // Before anything is installed.
      if (bundle) await (await import('../../assets/bundle-file.ts')).openBundle(bundle)
      await cli.operate(options, async (operation) => {
        const [{ resolveAssets }, { installMissing }] = await Promise.all([
          import('../../assets/resolve.ts'),
          import('../../assets/host-packages.ts'),
        ])
        await installMissing(operation.report)
        await resolveAssets({
          kubernetesVersion: options.kubernetesVersion,
          cache: operation.home.cache,
          report: operation.report,
          stop: operation.stop,
          ...(bundle ? { bundle } : {}),
        })
      })
      cli.io.out(`Everything for Kubernetes ${options.kubernetesVersion} is in ${cli.home().cache}.\n`)
    })

  withVersion(
    assets
      .command('bundle <FILE>')
      .description('Write everything into one file, for an air gap.')
      .addHelpText('after', '\nExamples:\n  holdfast assets bundle holdfast-assets.tar'),
  ).action(async (file: string, _: unknown, self: Command) => {
    const options = optionsOf<AssetOptions>(self)
    const target = resolve(cli.io.cwd, file)
    await cli.operate(options, async (operation) => {
      const { bundleAssets } = await import('../../assets/bundle.ts')
      await bundleAssets({
        kubernetesVersion: options.kubernetesVersion,
        cache: operation.home.cache,
        report: operation.report,
        stop: operation.stop,
        file: target,
      })
    })
    cli.io.out(`Written: ${target}\n`)
  })
}
