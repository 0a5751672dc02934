import type { DrillReport } from '../drills/index.ts'
import { HoldfastError } from '../errors.ts'
import type { Cli, CommonOptions } from './context.ts'
import { runKillMaster } from './drill-kill-master.ts'
import { seconds } from './drill-report.ts'
import { renderTable } from './table.ts'
import { bringUp } from './verbs/up.ts'

export interface DemoOptions extends CommonOptions {
  wait: number
  /** Masters of a cluster that is there already, and not called demo, may be killed. */
  yes?: boolean
}

export const demoName = 'demo'

/** Brings the cluster up, kills a follower's machine and then the leader's. @returns whether all went well */
export async function runDemo(cli: Cli, name: string, options: DemoOptions): Promise<boolean> {
  const { bold } = cli.colours
  const started = performance.now()
  const isThere = await mayBeUsed(cli, name, options)
  cli.io.out(`${bold('1.')} Three masters in three zones and a worker, on this machine.\n`)
  // How many workers a cluster has is its user's matter, once it is there.
  const workers = isThere ? {} : { workers: '1' }
  await bringUp(cli, name, { ...options, masters: '3', zones: 'a,b,c', ...workers })
  const up = performance.now() - started
  cli.io.out(`\n${bold('2.')} One master’s machine is killed: not the leader’s.\n`)
  const follower = await runKillMaster(cli, name, { ...options, output: 'table' }, { which: 'follower' })
  cli.io.out(`\n${bold('3.')} Now the machine that leads etcd.\n`)
  const leader = await runKillMaster(cli, name, { ...options, output: 'table' }, { which: 'leader' })
  cli.io.out(`\n${summary(follower, leader)}`)
  cli.io.out(
    `The cluster was up after ${seconds(up)}; this report came after ${seconds(performance.now() - started)}.\n`,
  )
  cli.io.out(`\n${bold(name)} goes on. Try next:\n${nextSteps(name)}`)
  return follower.judgement.passed && leader.judgement.passed
}

/** Whether the cluster is there already. @throws when it is somebody's that is not to lose masters. */
async function mayBeUsed(cli: Cli, name: string, options: DemoOptions): Promise<boolean> {
  const { tryReadDeclared } = await import('../operations/declared.ts')
  const isThere = (await tryReadDeclared(await cli.store(options), name)) !== undefined
  if (isThere && name !== demoName && !options.yes) {
    throw new HoldfastError(
      'demo-of-another-cluster',
      `${name} is there already: two of its masters would be killed`,
      {
        remedy: 'Leave --name out for a cluster of its own, or add --yes.',
        exitCode: 2,
      },
    )
  }
  return isThere
}

function summary(follower: DrillReport, leader: DrillReport): string {
  const row = (killed: string, { verdict, fullStrengthMs }: DrillReport): string[] => [
    killed,
    `${verdict.failed} of ${verdict.sent}`,
    seconds(verdict.longestGapMs),
    `${verdict.lost.length} of ${verdict.acknowledged}`,
    seconds(fullStrengthMs),
  ]
  return renderTable(
    ['killed', 'requests failed', 'longest gap', 'writes lost', 'full strength'],
    [row('a follower', follower), row('the leader', leader)],
  )
}

const nextSteps = (name: string) =>
  [
    `  holdfast --name ${name} kubectl get nodes -o wide`,
    `  holdfast drill kill-master ${name} --leader --lose-volumes`,
    `  holdfast delete cluster ${name} --yes`,
    '',
  ].join('\n')
