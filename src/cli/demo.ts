import type { Cli, CommonOptions } from './context.ts'
import { runKillMaster } from './drill-kill-master.ts'
import { bringUp } from './verbs/up.ts'

/** Brings the cluster up, kills a follower's machine and then the leader's. */
export async function runDemo(
  cli: Cli,
  name: string,
  options: CommonOptions & { wait: number },
): Promise<boolean> {
  const { bold } = cli.colours
  cli.io.out(`${bold('1.')} Three masters in three zones and a worker, on this machine.\n`)
  await bringUp(cli, name, { ...options, masters: '3', workers: '1', zones: 'a,b,c' })
  cli.io.out(`\n${bold('2.')} One master’s machine is killed: not the leader’s.\n`)
  const follower = await runKillMaster(cli, name, { ...options, output: 'table' }, { which: 'follower' })
  cli.io.out(`\n${bold('3.')} Now the machine that leads etcd.\n`)
  const leader = await runKillMaster(cli, name, { ...options, output: 'table' }, { which: 'leader' })
  cli.io.out(`\nThe cluster ${bold(name)} goes on. Try next:\n${nextSteps(name)}`)
  return follower.judgement.passed && leader.judgement.passed
}

const nextSteps = (name: string) =>
  [
    `  holdfast --name ${name} kubectl get nodes -o wide`,
    `  holdfast drill kill-master ${name} --leader --lose-volumes`,
    `  holdfast delete cluster ${name} --yes`,
    '',
  ].join('\n')
