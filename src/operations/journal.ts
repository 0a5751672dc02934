import { randomBytes } from 'node:crypto'
import type { CloudStep } from '../clouds/cloud.ts'
import { messageOf } from '../errors.ts'
import { keys } from '../store/keys.ts'
import type { StateStore } from '../store/store.ts'

export type OperationKind = 'create' | 'replace' | 'update' | 'delete'

/** `CLUSTER/operations/ID.json`: what an operation did, and where it stood when it was killed. */
export interface JournalRecord {
  id: string
  kind: OperationKind
  pid: number
  /** RFC 3339. */
  startedAt: string
  state: 'running' | 'done' | 'failed'
  endedAt?: string
  error?: string
  steps: JournalStep[]
}

export interface JournalStep {
  step: CloudStep
  state: 'planned' | 'running' | 'done' | 'failed'
  startedAt?: string
  endedAt?: string
}

export interface Journal {
  readonly id: string
  /** Records the array that is about to be carried out. */
  planned(steps: readonly CloudStep[]): Promise<void>
  mark(step: CloudStep, state: 'running' | 'done' | 'failed'): Promise<void>
  end(error?: unknown): Promise<void>
}

/** Old journals are dropped beyond this many. */
const keptJournals = 50

export async function openJournal(store: StateStore, cluster: string, kind: OperationKind): Promise<Journal> {
  const startedAt = new Date().toISOString()
  const id = `${startedAt.replaceAll(/[-:.]/g, '').toLowerCase()}-${randomBytes(3).toString('hex')}`
  const record: JournalRecord = { id, kind, pid: process.pid, startedAt, state: 'running', steps: [] }
  // Steps of one kind end side by side; writes go one after the other, each with the latest state.
  let writes: Promise<unknown> = Promise.resolve()
  const write = () => {
    writes = writes.then(() => store.put(keys.operation(cluster, id), JSON.stringify(record, undefined, 2)))
    return writes.then(() => {})
  }
  await dropOldest(store, cluster)
  await write()
  return {
    id,
    async planned(steps) {
      record.steps.push(...steps.map((step) => ({ step, state: 'planned' as const })))
      await write()
    },
    async mark(step, state) {
      const entry = record.steps.findLast((candidate) => candidate.step === step)
      if (!entry) return
      entry.state = state
      entry[state === 'running' ? 'startedAt' : 'endedAt'] = new Date().toISOString()
      await write()
    },
    async end(error) {
      record.state = error === undefined ? 'done' : 'failed'
      if (error !== undefined) record.error = messageOf(error)
      record.endedAt = new Date().toISOString()
      await write()
    },
  }
}

async function dropOldest(store: StateStore, cluster: string): Promise<void> {
  const found = await store.list(keys.operations(cluster))
  for (const key of found.slice(0, Math.max(0, found.length - keptJournals + 1))) await store.delete(key)
}
