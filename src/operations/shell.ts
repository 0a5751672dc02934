import { initPid } from '../clouds/local/machine.ts'
import { HoldfastError } from '../errors.ts'
import { enterMachine, machinePath } from '../hosts/nspawn.ts'
import { findMachine } from './machines.ts'
import type { Operation } from './operation.ts'

/** The program that opens a shell on a machine, or runs a command there. @throws `machine-not-found`. */
export async function shellCommand(
  operation: Operation,
  name: string,
  options: { cluster: string | undefined; command: readonly string[] },
): Promise<[string, ...string[]]> {
  const { machine } = await findMachine(operation, name, options.cluster)
  return enterCommand(operation, machine.id, options.command.length > 0 ? options.command : ['bash', '-l'])
}

/** Runs a program inside a machine, on the terminal of whoever starts it. @throws `machine-not-running`. */
export async function enterCommand(
  operation: Operation,
  machineId: string,
  command: readonly string[],
): Promise<[string, ...string[]]> {
  const cloud = await operation.localCloud()
  const pid = await initPid(await cloud.machine(machineId))
  if (pid === undefined) {
    throw new HoldfastError('machine-not-running', `Machine ${machineId} is not running`, {
      remedy: 'Its group starts it again; look with `holdfast get machines`.',
    })
  }
  const environment = [
    `PATH=${machinePath}`,
    'HOME=/root',
    'LANG=C.UTF-8',
    // As in a login shell there: kubectl finds the administrator's on a master.
    'KUBECONFIG=/etc/kubernetes/admin.conf',
    `TERM=${process.env['TERM'] ?? 'dumb'}`,
  ]
  const [program = 'nsenter', ...words] = enterMachine(pid)
  // nsenter hands on no signal: what it started hears of its end by the kernel.
  const ending = ['setpriv', '--pdeathsig', 'HUP']
  return [program, ...words, 'env', '-i', ...environment, ...ending, ...command]
}
