import type { CloudStep } from '../clouds/cloud.ts'
import type { Problem } from '../errors.ts'
import type { QuorumLine } from '../plan/quorum-line.ts'
import type { Cli, CommonOptions } from './context.ts'
import { formatProblem } from './format-error.ts'
import { printData } from './print.ts'

export interface ShownPlan {
  cluster: string
  steps: readonly CloudStep[]
  /** etcd after each step, where that is known. */
  quorum?: readonly QuorumLine[]
  problems: readonly Problem[]
}

/** Steps as `+ action where: reason`, then what is wrong, then what to do next. */
export function showPlan(cli: Cli, plan: ShownPlan, options: CommonOptions, state: PlanState): void {
  if (options.output !== undefined && options.output !== 'table') {
    printData(
      cli,
      { cluster: plan.cluster, state, steps: plan.steps, quorum: plan.quorum, problems: plan.problems },
      options.output,
    )
    return
  }
  const { io, colours } = cli
  if (state === 'declared')
    io.out(`Cluster ${colours.bold(plan.cluster)} is declared; nothing is made yet.\n`)
  io.out(`${headline(plan, options, state)}\n`)
  for (const [index, step] of plan.steps.entries()) {
    const mark = /^(delete|terminate)/.test(step.action) ? colours.red('-') : colours.green('+')
    const etcd = etcdAfter(step, plan.quorum?.[index])
    io.out(`  ${mark} ${colours.bold(step.where)}: ${step.reason}${colours.dim(etcd)}\n`)
  }
  for (const problem of plan.problems) io.out(`${formatProblem(problem, colours)}\n`)
  if (state === 'done' || plan.steps.length === 0) return
  io.out(`${nextStep(plan, options, state)}\n`)
}

type PlanState = 'declared' | 'planned' | 'deletion' | 'done'

/** What a step does to the quorum; nothing for a step that cannot touch it. */
function etcdAfter(step: CloudStep, line: QuorumLine | undefined): string {
  if (!line || step.action !== 'set-group' || step.group.role !== 'master') return ''
  const { running, voters, mayLose, quorum } = line
  return ` (etcd then: ${running} of ${voters} voters run, ${quorum ? `${mayLose} may be lost` : 'no majority yet'})`
}

function headline({ cluster, steps }: ShownPlan, options: CommonOptions, state: PlanState): string {
  const count = steps.length === 1 ? '1 step' : `${steps.length} steps`
  if (state === 'deletion') {
    return steps.length === 0
      ? `Nothing is made of cluster ${cluster}; its declaration would go: ${deleteCommand(cluster, options)}`
      : `Cluster ${cluster} would go, with all its data:`
  }
  if (steps.length === 0) return `Cluster ${cluster}: nothing to do, everything is as declared.`
  return state === 'done' ? `Carried out: ${count}` : `To be carried out: ${count}`
}

/** With the store that was named: another one may have a cluster of that name. */
const deleteCommand = (cluster: string, { state }: CommonOptions): string =>
  `\`holdfast delete cluster ${cluster} --yes${state === undefined ? '' : ` --state ${state}`}\``

function nextStep({ cluster, problems }: ShownPlan, options: CommonOptions, state: PlanState): string {
  if (state === 'deletion') return `Really remove it with ${deleteCommand(cluster, options)}.`
  const carryOut = `\`holdfast update cluster ${cluster} --yes\``
  const errors = problems.filter((problem) => problem.severity === 'error')
  if (errors.length === 0) return `Carry it out with ${carryOut}.`
  // What this machine lacks is no fault of the declaration.
  if (errors.every(({ path }) => path.startsWith('host.')))
    return `Mend the errors above on this machine, then carry it out with ${carryOut}.`
  return [
    'The errors above must be mended before it can be carried out:',
    `  holdfast get cluster ${cluster} -o yaml >cluster.yaml   (change it, then)`,
    '  holdfast replace -f cluster.yaml',
  ].join('\n')
}
