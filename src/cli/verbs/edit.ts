import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { HoldfastError } from '../../errors.ts'
import type { ClusterSpec, InstanceGroupSpec } from '../../spec/types.ts'
import type { Cli, CommonOptions } from '../context.ts'
import { pickGroups } from '../groups.ts'
import { optionsOf, withCommonOptions } from '../options.ts'
import { showPlan } from '../show-plan.ts'
import { specText } from '../spec-text.ts'

export function registerEdit(program: Command, cli: Cli): void {
  const edit = program
    .command('edit')
    .description('Change what is declared in your editor (VISUAL, EDITOR or vi), and show what would change.')
    .addHelpText('after', '\nExamples:\n  holdfast edit cluster try\n  holdfast edit ig nodes --name try')
  const cluster = edit
    .command('cluster [NAME]')
    .description('Edit a cluster’s declaration with all its groups.')
    .addHelpText('after', '\nExamples:\n  holdfast edit cluster try')
  withCommonOptions(cluster).action(async (argument: string | undefined, _: unknown, self: Command) => {
    const options = optionsOf<CommonOptions>(self)
    const name = await cli.clusterName(argument, options)
    const { readDeclared } = await import('../../operations/declared.ts')
    const { declaration } = await readDeclared(await cli.store(options), name)
    await editAndReplace(cli, options, name, [declaration.cluster, ...declaration.groups])
  })
  const group = edit
    .command('instancegroup <GROUP>')
    .alias('ig')
    .description('Edit one instance group.')
    .addHelpText('after', '\nExamples:\n  holdfast edit ig nodes --name try')
  withCommonOptions(group).action(async (wanted: string, _: unknown, self: Command) => {
    const options = optionsOf<CommonOptions>(self)
    const name = await cli.clusterName(undefined, options)
    const { listGroups } = await import('../../operations/lists.ts')
    const groups = await listGroups(await cli.store(options), name)
    await editAndReplace(cli, options, name, pickGroups(name, groups, [wanted]))
  })
}

async function editAndReplace(
  cli: Cli,
  options: CommonOptions,
  cluster: string,
  documents: readonly (ClusterSpec | InstanceGroupSpec)[],
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-edit-'))
  const file = join(folder, `${cluster}.yaml`)
  const before = specText(documents)
  await writeFile(file, before, { mode: 0o600 })
  const editor = cli.io.env['VISUAL'] || cli.io.env['EDITOR'] || 'vi'
  const exitStatus = await cli.io.attach(['sh', '-c', `${editor} "$1"`, 'edit', file])
  const text = await readFile(file, 'utf8')
  // A text that was changed is kept, whatever happens: it is somebody's work.
  if (text === before) await rm(folder, { recursive: true })
  if (exitStatus !== 0) throw editorFailed(editor, exitStatus, text === before ? undefined : file)
  if (text === before) return cli.io.out('Nothing was changed.\n')
  const { replaceDeclared } = await import('../../operations/replace.ts')
  const { planCluster } = await import('../../operations/plan.ts')
  // Where the text is refused, its file's name is in the problems.
  const plan = await cli.operate(options, async (operation) => {
    await replaceDeclared(operation, { text, file, cluster, edited: true })
    return planCluster(operation, cluster)
  })
  await rm(folder, { recursive: true })
  showPlan(cli, plan, options, 'planned')
}

const editorFailed = (editor: string, exitStatus: number, kept: string | undefined) =>
  new HoldfastError(
    'editor-failed',
    `The editor "${editor}" ended with exit code ${exitStatus}; nothing was changed`,
    {
      remedy: kept
        ? `What was written is in ${kept}: \`holdfast replace -f ${kept}\` takes it.`
        : 'Set EDITOR to an editor that works here, such as EDITOR=nano.',
    },
  )
