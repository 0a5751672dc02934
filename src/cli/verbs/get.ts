import type { Command } from 'commander'
import type { Cli, CommonOptions } from '../context.ts'
import { formatProblem } from '../format-error.ts'
import { machineHeadings, machineRow } from '../machine-row.ts'
import { optionsOf, withCommonOptions, withOutput } from '../options.ts'
import { printData } from '../print.ts'
import { specText } from '../spec-text.ts'
import { renderTable } from '../table.ts'

/** Names under which a kind may be asked for; kops' and kubectl's short ones too. */
const kinds = {
  clusters: ['cluster'],
  machines: ['machine', 'instances', 'instance'],
  volumes: ['volume'],
} as const

type Kind = keyof typeof kinds

export function registerGet(program: Command, cli: Cli): void {
  const get = program
    .command('get')
    .description('List clusters, instance groups, machines or volumes.')
    .addHelpText(
      'after',
      `
Examples:
  holdfast get clusters
  holdfast get ig --name try -o yaml     What is declared, ready for \`holdfast replace -f\`
  holdfast get machines try -o json`,
    )
  registerKind(get, cli, 'clusters')
  registerGroups(get, cli)
  registerKind(get, cli, 'machines')
  registerKind(get, cli, 'volumes')
}

function registerKind(get: Command, cli: Cli, kind: Kind): void {
  const command = get
    .command(`${kind} [NAME]`)
    .aliases([...kinds[kind]])
    .description(descriptions[kind])
    .addHelpText('after', `\nExamples:\n  holdfast get ${kind}\n  holdfast get ${kind} NAME -o yaml`)
  withOutput(withCommonOptions(command)).action(
    async (argument: string | undefined, _: unknown, self: Command) => {
      await show(cli, kind, argument, optionsOf<CommonOptions>(self))
    },
  )
}

function registerGroups(get: Command, cli: Cli): void {
  const command = get
    .command('instancegroups [GROUP...]')
    .aliases(['ig', 'instancegroup', 'groups'])
    .description('List the instance groups of a cluster, or those that are named.')
    .addHelpText('after', groupsHelp)
  withOutput(withCommonOptions(command)).action(async (words: string[], _: unknown, self: Command) => {
    await showGroups(cli, words, optionsOf<CommonOptions>(self))
  })
}

const groupsHelp = `
The cluster is the one of --name or HOLDFAST_CLUSTER, or the only one. A single name that is no group of it
but a cluster lists that cluster's groups.

Examples:
  holdfast get ig
  holdfast get ig nodes --name try -o yaml
  holdfast get ig try`

const descriptions: Record<Kind, string> = {
  clusters: 'List the declared clusters; with a NAME and -o yaml, its whole declaration.',
  machines: 'List the machines of a cluster, and what each waits for.',
  volumes: 'List the volumes of a cluster.',
}

async function show(
  cli: Cli,
  kind: Kind,
  argument: string | undefined,
  options: CommonOptions,
): Promise<void> {
  const lists = await import('../../operations/lists.ts')
  // A list of all there are does not end at the one that HOLDFAST_CLUSTER names.
  if (kind === 'clusters') return showClusters(cli, cli.namedHere(argument, options), options)
  const name = await cli.clusterName(argument, options)
  if (kind === 'machines') {
    const machines = await cli.operate(options, (operation) => lists.listMachines(operation, name))
    const nowMs = Date.now()
    return print(cli, options, machines, machineHeadings, (machine) => machineRow(machine, nowMs))
  }
  const inventory = await cli.operate(options, (operation) => lists.listInventory(operation, name))
  print(
    cli,
    options,
    inventory.volumes,
    ['name', 'seat', 'etcd', 'zone', 'size', 'attached to'],
    (volume) => [
      volume.id,
      volume.seat,
      volume.etcd,
      volume.zone,
      `${volume.sizeGib} GiB`,
      volume.attachedTo ?? '-',
    ],
  )
}

async function showGroups(cli: Cli, words: readonly string[], options: CommonOptions): Promise<void> {
  const { groupsAskedFor } = await import('../groups.ts')
  const groups = await groupsAskedFor(cli, words, options)
  if (options.output === 'yaml') return cli.data(specText(groups))
  print(cli, options, groups, ['name', 'role', 'seat', 'size', 'zones', 'machine type'], (group) => [
    group.metadata.name,
    group.spec.role,
    group.spec.seat ?? '-',
    String(group.spec.size),
    group.spec.zones.join(','),
    group.spec.machineType ?? '-',
  ])
}

async function showClusters(cli: Cli, name: string | undefined, options: CommonOptions): Promise<void> {
  const [{ listClusters }, { inSeatOrder }] = await Promise.all([
    import('../../operations/lists.ts'),
    import('../../spec/master-groups.ts'),
  ])
  const found = await listClusters(await cli.store(options), name, (problem) =>
    cli.io.err(`${formatProblem(problem, cli.colours)}\n`),
  )
  const declarations = found.map(({ cluster, groups }) => ({ cluster, groups: inSeatOrder(groups) }))
  const only = declarations[0]
  if (options.output === 'yaml' && name !== undefined && only) {
    return cli.data(specText([only.cluster, ...only.groups]))
  }
  const sizeOf = (groups: (typeof declarations)[number]['groups'], role: 'master' | 'node') =>
    String(
      groups.filter((group) => group.spec.role === role).reduce((sum, group) => sum + group.spec.size, 0),
    )
  print(
    cli,
    options,
    declarations,
    ['name', 'cloud', 'kubernetes', 'masters', 'workers', 'zones', 'networking'],
    ({ cluster, groups }) => [
      cluster.metadata.name,
      cluster.spec.cloud,
      cluster.spec.kubernetesVersion,
      sizeOf(groups, 'master'),
      sizeOf(groups, 'node'),
      cluster.spec.zones.join(','),
      cluster.spec.networking.kind,
    ],
  )
}

function print<T>(
  cli: Cli,
  options: CommonOptions,
  items: readonly T[],
  headings: readonly string[],
  row: (item: T) => string[],
): void {
  if (options.output === 'json' || options.output === 'yaml') printData(cli, items, options.output)
  else if (items.length === 0) cli.io.err('There are none.\n')
  else cli.io.out(renderTable(headings, items.map(row)))
}
