import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { ListedAsset } from '../../assets/list.ts'
import { kubernetes } from '../../constants.ts'
import type { Cli, CommonOptions } from '../context.ts'
import { exitCodes } from '../exit-codes.ts'
import { optionsOf, withCommonOptions, withOutput } from '../options.ts'
import { printData } from '../print.ts'
import { renderTable } from '../table.ts'

interface AssetOptions extends CommonOptions {
  kubernetesVersion: string
  bundle?: string
  verify?: boolean
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
        .addHelpText('after', '\nExamples:\n  holdfast assets list\n  holdfast assets list --verify'),
    ),
  )
    .option('--verify', 'read every file, not only what changed since it was last verified')
    .action(async (_: unknown, self: Command) => {
      const { kubernetesVersion, output, verify = false } = optionsOf<AssetOptions>(self)
      const { listAssets } = await import('../../assets/list.ts')
      const items = await listAssets({ kubernetesVersion, cache: cli.home().cache, verify })
      if (items.some(({ damage }) => damage)) cli.exitCode = exitCodes.notReady
      if (output === 'json' || output === 'yaml') return printData(cli, items, output)
      cli.io.out(
        renderTable(
          ['asset', 'version', 'there', 'size', 'from'],
          items.map((item) => [
            item.name,
            item.version,
            item.damage ? 'damaged' : item.unseen ? 'unseen' : item.present ? 'yes' : 'no',
            item.bytes === undefined ? '-' : `${Math.ceil(item.bytes / 1e6)} MB`,
            item.source ?? '-',
          ]),
        ),
      )
      for (const paragraph of explained(items)) cli.io.out(`\n${paragraph.join('\n')}\n`)
    })

  withVersion(
    assets
      .command('fetch')
      .description('Install what this machine lacks, get or build everything now, and verify all of it.')
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
        const [{ assetContext, obtainProbe, resolveAssets }, { installMissing }] = await Promise.all([
          import('../../assets/resolve.ts'),
          import('../../assets/host-packages.ts'),
        ])
        const { report, stop, home } = operation
        const { kubernetesVersion } = options
        await installMissing({ report, stop })
        const wanted = { kubernetesVersion, cache: home.cache, report, stop, verify: true }
        const from = { ...wanted, ...(bundle ? { bundle } : {}) }
        await resolveAssets(from)
        await obtainProbe(await assetContext(from))
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

/** What the table's words mean, where they ask for something. */
function explained(items: readonly ListedAsset[]): string[][] {
  const damages = items.flatMap(({ damage }) => damage ?? [])
  const unseen = items.flatMap((item) => (item.unseen ? `${item.name}: ${item.unseen}` : []))
  const again = 'What is damaged is never used: `holdfast assets fetch` makes it again, and so does `up`.'
  const sudo =
    'What is unseen is there, but not for you to read: run this command with sudo to have it verified.'
  return [
    ...(damages.length > 0 ? [[...damages, again]] : []),
    ...(unseen.length > 0 ? [[...unseen, sudo]] : []),
  ]
}
