import type { CloudStep } from '../clouds/cloud.ts'
import type { Problem } from '../errors.ts'
import type { Cli, CommonOptions } from './context.ts'
import { formatProblem } from './format-error.ts'
import { printData } from './print.ts'

export interface ShownPlan {
  cluster: string
  steps: readonly CloudStep[]
  problems: readonly Problem[]
}

/** Steps as `+ action where: reason`, then what is wrong, then what to do next. */
export function showPlan(
  cli: Cli,
  plan: ShownPlan,
  options: CommonOptions,
  state: 'declared' | 'planned' | 'deletion' | 'done',
): void {
  if (options.output !== undefined && options.output !== 'table') {
    printData(
      cli,
      { cluster: plan.cluster, state, steps: plan.steps, problems: plan.problems },
      options.output,
    )
    return
  }
  const { io, colours } = cli
  if (state === 'declared')
    io.out(`Cluster ${colours.bold(plan.cluster)} is declared; nothing is made yet.\n`)
  if (plan.steps.length === 0) {
    io.out(`Cluster ${plan.cluster}: nothing to do, everything is as declared.\n`)
  } else {
    const words = plan.steps.length === 1 ? 'step' : 'steps'
    io.out(`${state === 'done' ? 'Carried out' : 'To be carried out'}: ${plan.steps.length} ${words}\n`)
    for (const step of plan.steps) {
      const mark = /^(delete|terminate)/.test(step.action) ? colours.red('-') : colours.green('+')
      io.out(`  ${mark} ${step.action} ${colours.bold(step.where)}: ${step.reason}\n`)
    }
  }
  for (const problem of plan.problems) io.out(`${formatProblem(problem, colours)}\n`)
  if (state === 'done' || plan.steps.length === 0) return
  if (plan.problems.some((problem) => problem.severity === 'error')) {
    io.out(
      `These errors must be mended before it can be carried out: \`holdfast get cluster ${plan.cluster} -o yaml\`, change it, \`holdfast replace -f FILE\`.\n`,
    )
    return
  }
  io.out(`Carry it out with: holdfast update cluster ${plan.cluster} --yes\n`)
}
