import type { Command } from 'commander'
import { InvalidInputError } from '../../errors.ts'
import { anotherName } from '../../operations/another-name.ts'
import type { ClusterFlags } from '../../spec/flags.ts'
import type { Cli, CommonOptions } from '../context.ts'
import { type DeclaredInput, declareFromFile, declareFromFlags } from '../declare.ts'
import { formatProblem } from '../format-error.ts'
import { optionsOf, withCommonOptions, withOutput } from '../options.ts'
import { printData } from '../print.ts'
import { showPlan } from '../show-plan.ts'
import { specText } from '../spec-text.ts'
import { withClusterFlags, withKopsFlags } from './cluster-flags.ts'

interface CreateOptions extends CommonOptions, ClusterFlags {
  filename?: string
  dryRun?: boolean
}

export function registerCreate(program: Command, cli: Cli): void {
  const create = program
    .command('create')
    .description('Declare a cluster, from flags or from a file, and show what would be made.')
    .option('-f, --filename <file>', 'a file with a Cluster and its InstanceGroups; - reads standard input')
    .option('--dry-run', 'print the declaration and keep nothing')
    .addHelpText(
      'after',
      `
Examples:
  holdfast create cluster try --masters 3 --workers 2 --zones a,b,c
  holdfast create -f cluster.yaml
  holdfast update cluster try --yes      Carry it out`,
    )
  withOutput(withCommonOptions(create)).action(async (_: unknown, self: Command) => {
    const options = optionsOf<CreateOptions>(self)
    if (options.filename === undefined) return self.help({ error: true })
    const declared = await declareFromFile(cli, options.filename)
    const { name } = declared.declaration.cluster.metadata
    const given = cli.givenName(undefined, options) ?? name
    if (given !== name) throw anotherName(options.filename, name, given)
    await declareAndShow(cli, declared, options)
  })

  const cluster = create
    .command('cluster [NAME]')
    .description('Declare a cluster from flags; takes kops’ own flags too.')
    .addHelpText(
      'after',
      `
On AWS the defaults are kops' own: one master, or one in each of --master-zones, and a worker for each zone.
There and on hosts the zones must be named, and machines may reach out (egress nat).
Nothing is made until \`holdfast update cluster NAME --yes\`.

Examples:
  holdfast create cluster try --masters 3 --workers 2
  holdfast create cluster --node-count 3 --zones us-west-2a,us-west-2b,us-west-2c \\
    --master-zones us-west-2a,us-west-2b,us-west-2c --node-size t2.medium --master-size t2.medium \\
    --topology private --networking vxlan hacluster.example.com`,
    )
  withOutput(withKopsFlags(withClusterFlags(withCommonOptions(cluster))))
    .option('--dry-run', 'print the declaration and keep nothing')
    .action(async (argument: string | undefined, _: unknown, self: Command) => {
      const options = optionsOf<CreateOptions>(self)
      if (options.filename !== undefined) {
        throw new InvalidInputError(
          'A cluster is declared from a file or from flags, not from both',
          [],
          `Leave out the word cluster and its flags: \`holdfast create -f ${options.filename}\`.`,
        )
      }
      const name = cli.givenName(argument, options)
      const flags = { ...options, ...(name === undefined ? {} : { name }) }
      await declareAndShow(cli, await declareFromFlags(cli, flags), options)
    })
}

async function declareAndShow(cli: Cli, declared: DeclaredInput, options: CreateOptions): Promise<void> {
  if (options.dryRun) return showDeclaration(cli, declared, options)
  const { createCluster } = await import('../../operations/create.ts')
  const { planCluster } = await import('../../operations/plan.ts')
  const name = declared.declaration.cluster.metadata.name
  const plan = await cli.operate(options, async (operation) => {
    await createCluster(operation, declared.declaration)
    return planCluster(operation, name)
  })
  // What the flags said and what the plan says may be the same thing.
  const told = new Set(plan.problems.map((problem) => problem.message))
  const problems = [...declared.problems.filter((problem) => !told.has(problem.message)), ...plan.problems]
  showPlan(cli, { ...plan, problems }, options, 'declared')
}

/** As YAML ready for `create -f`; as JSON in the form of `get cluster NAME -o json`. */
function showDeclaration(cli: Cli, { declaration, problems }: DeclaredInput, options: CreateOptions): void {
  if (options.output === 'json') printData(cli, [declaration], 'json')
  else cli.data(specText([declaration.cluster, ...declaration.groups]))
  for (const problem of problems) cli.io.err(`${formatProblem(problem, cli.colours)}\n`)
}
