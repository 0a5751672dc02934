import type { ListedMachine } from '../operations/lists.ts'
import { describeWaiting } from '../store/heartbeats.ts'

export const machineHeadings = ['name', 'group', 'role', 'zone', 'address', 'state', 'booted', 'waits for']

/** One line of `get machines`. */
export const machineRow = (machine: ListedMachine, nowMs: number): string[] => [
  machine.id,
  machine.group,
  machine.role,
  machine.zone,
  machine.address,
  machine.state,
  machine.bootedAt,
  describeWaiting(machine.heartbeat, nowMs) ?? '-',
]
