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

/**
 * A shell's words that end as `tail` of a pod's logs: `sh -c SCRIPT logs COMPONENT LINES [-F]`. Of each container the
 * newest file: kubelet keeps one for each restart.
 */
export const podLogScript = (folder = '/var/log/pods'): string => `
files=$(for file in ${folder}/kube-system_"$1"-*/*/; do ls -t "$file"*.log 2>/dev/null | head -n 1; done)
[ -n "$files" ] || { echo "there is no log of $1 here yet" >&2; exit 1; }
exec tail -n "$2" $3 $files`

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
    const words = [component, lines, ...(follow ? ['-F'] : [])]
    return enterCommand(operation, machine.id, ['sh', '-c', podLogScript(), 'logs', ...words])
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
