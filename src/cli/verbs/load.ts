import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { Cli, CommonOptions } from '../context.ts'
import { optionsOf, withCommonOptions } from '../options.ts'

const examples = `
Machines that are made later get it too.

Examples:
  docker save my-app:1 -o my-app.tar && holdfast load image my-app.tar`

export function registerLoad(program: Command, cli: Cli): void {
  const load = program
    .command('load')
    .description('Bring your own images into a cluster.')
    .addHelpText('after', examples)
  const image = load
    .command('image <ARCHIVE>')
    .description('Import an image archive (docker save, or an OCI layout in a tar) into every machine.')
    .addHelpText('after', examples)
  withCommonOptions(image).action(async (archive: string, _: unknown, self: Command) => {
    const options = optionsOf<CommonOptions>(self)
    const name = await cli.clusterName(undefined, options)
    const { loadImage } = await import('../../operations/load-image.ts')
    const result = await cli.operate(options, (operation) =>
      loadImage(operation, name, resolve(cli.io.cwd, archive)),
    )
    const machines = result.machines === 1 ? '1 machine' : `${result.machines} machines`
    cli.io.out(`${result.images.join(', ')}: imported into ${machines} of ${name}.\n`)
  })
}
