import type { Command } from 'commander'
import type { Cli, CommonOptions } from '../context.ts'
import { exitCodes } from '../exit-codes.ts'
import { durationMs, optionsOf, withCommonOptions, withOutput } from '../options.ts'
import { printData } from '../print.ts'
import { renderTable } from '../table.ts'
import { whenMade } from '../when-made.ts'

interface ValidateOptions extends CommonOptions {
  wait?: number
}

const examples = `
Examples:
  holdfast validate cluster try
  holdfast validate cluster try --wait 5m
  holdfast validate cluster try -o json`

export function registerValidate(program: Command, cli: Cli): void {
  const validate = program
    .command('validate')
    .description('Check whether a cluster works.')
    .addHelpText('after', examples)
  const cluster = validate
    .command('cluster [NAME]')
    .description('Run every check and say what is not as it should be; exit code 3 when something is not.')
    .addHelpText('after', examples)
  withOutput(withCommonOptions(cluster))
    .option('--wait <duration>', 'wait this long until everything is well', durationMs)
    .action(async (argument: string | undefined, _: unknown, self: Command) => {
      const options = optionsOf<ValidateOptions>(self)
      const name = await cli.clusterName(argument, options)
      const { validateCluster } = await import('../../operations/validate.ts')
      const results = await cli.operate(options, (operation) =>
        whenMade(operation, name, () => validateCluster(operation, name, { waitMs: options.wait ?? 0 })),
      )
      const ok = results.every((result) => result.ok)
      if (options.output === 'json' || options.output === 'yaml') {
        printData(cli, { cluster: name, ok, checks: results }, options.output)
      } else {
        const { green, red } = cli.colours
        // Colours come after padding: escape sequences have no width.
        const table = renderTable(
          ['check', 'ok', 'reason'],
          results.map((result) => [result.title, result.ok ? 'yes' : 'NO', result.reason]),
        )
        cli.io.out(table.replace(/ {2}yes {2}/g, green('  yes  ')).replace(/ {2}NO {3}/g, red('  NO   ')))
        cli.io.out(ok ? `Cluster ${name} works.\n` : `Cluster ${name} does not work as declared.\n`)
      }
      cli.exitCode = ok ? exitCodes.ok : exitCodes.notReady
    })
}
