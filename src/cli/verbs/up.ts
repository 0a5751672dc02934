import type { Command } from 'commander'
import type { ClusterFlags } from '../../spec/flags.ts'
import type { Declaration } from '../../spec/types.ts'
import type { Cli, CommonOptions } from '../context.ts'
import { declareAgain, declareFromFlags } from '../declare.ts'
import { formatProblem } from '../format-error.ts'
import { optionsOf, waitOption, withCommonOptions } from '../options.ts'
import { withClusterFlags } from './cluster-flags.ts'

interface UpOptions extends CommonOptions, ClusterFlags {
  wait: number
}

export function registerUp(program: Command, cli: Cli): void {
  const command = program
    .command('up [NAME]')
    .description('Bring up a cluster on this machine and wait until it works (NAME: holdfast).')
    .addHelpText(
      'after',
      `
Run again it changes nothing, and goes on where it was killed. Only --workers may differ.

Examples:
  holdfast up
  holdfast up try --masters 1 --workers 0
  holdfast up --masters 3 --zones a,b,c --workers 2`,
    )
  withClusterFlags(withCommonOptions(command))
    .addOption(waitOption('longest wait until it works', 600_000, '10m'))
    .action(async (argument: string | undefined, _: unknown, self: Command) => {
      const options = optionsOf<UpOptions>(self)
      const name = cli.givenName(argument, options) ?? 'holdfast'
      const result = await bringUp(cli, name, options)
      cli.io.out(nextCommands(cli, name, result))
    })
}

/** Declares the cluster, or compares the flags with what is declared, and brings it up. */
export async function bringUp(cli: Cli, name: string, options: UpOptions): Promise<UpResult> {
  const flags = { ...options, name, cloud: 'local' }
  const told = new Set<string>()
  let masters = 0
  const wanted = async (existing: Declaration | undefined) => {
    const { declaration, problems } = existing
      ? await declareAgain(existing, flags)
      : await declareFromFlags(cli, flags)
    for (const problem of problems) {
      const text = `${formatProblem(problem, cli.colours)}\n`
      if (!told.has(text)) cli.io.err(text)
      told.add(text)
    }
    masters = declaration.groups.filter(({ spec }) => spec.role === 'master' && spec.size > 0).length
    return declaration
  }
  const { up } = await import('../../operations/up.ts')
  const done = await cli.operate(options, (operation) =>
    up(operation, name, wanted, { timeoutMs: options.wait }),
  )
  return { ...done, masters }
}

interface UpResult {
  changed: boolean
  context: string
  masters: number
}

function nextCommands(cli: Cli, name: string, result: UpResult): string {
  const { bold } = cli.colours
  return [
    result.changed
      ? `Cluster ${bold(name)} is up.`
      : `Cluster ${bold(name)} is up; nothing had to be changed.`,
    `  kubectl --context ${result.context} get nodes   (or: holdfast --name ${name} kubectl get nodes)`,
    `  holdfast validate cluster ${name}`,
    // One master cannot be lost.
    ...(result.masters >= 3 ? [`  holdfast drill kill-master ${name} --leader`] : []),
    '',
  ].join('\n')
}
