import { HoldfastError } from '../errors.ts'
import { nearest, orList } from '../spec/nearest.ts'
import { components, pods, units } from './components.ts'
import { findMachine } from './machines.ts'
import type { Operation } from './operation.ts'
import { enterCommand } from './shell.ts'

export interface LogsOptions {
  cluster: string | undefined
  component: string
  follow: boolean
  tailLines: number
}

/** The newest file of each container of the pod: kubelet keeps one for each restart. */
const podScript = `set -- /var/log/pods/*"$1"*/*/; [ -e "$1" ] || { echo "no log of this component here yet" >&2; exit 1; }
for folder do ls -t "$folder"*.log 2>/dev/null | head -n 1; done | xargs`

/**
 * The program that shows a machine's log on the user's terminal.
 * @throws HoldfastError `component-unknown`, `machine-not-found`.
 */
export async function logsCommand(
  operation: Operation,
  name: string,
  options: LogsOptions,
): Promise<[string, ...string[]]> {
  const { component, tailLines, follow } = options
  if (!components.includes(component)) {
    const meant = nearest(component, components)
    throw new HoldfastError('component-unknown', `There is no component "${component}"`, {
      remedy: `${meant ? `Did you mean ${meant}? ` : ''}There is ${orList(components)}.`,
      exitCode: 2,
    })
  }
  const { machine } = await findMachine(operation, name, options.cluster)
  const lines = String(tailLines)
  if (pods.includes(component)) {
    const tail = `exec tail -n ${lines} ${follow ? '-F' : ''} $(${podScript})`
    return enterCommand(operation, machine.id, ['sh', '-c', tail, 'logs', component])
  }
  const unit = units[component]
  return enterCommand(operation, machine.id, [
    'journalctl',
    '--no-pager',
    '--output=short-iso',
    `--lines=${lines}`,
    ...(unit ? [`--unit=${unit}`] : []),
    ...(follow ? ['--follow'] : []),
  ])
}
