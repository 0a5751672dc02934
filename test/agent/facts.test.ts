import { expect, test } from 'vitest'
import type { AgentContext } from '../../src/agent/context.ts'
import { nodeFacts } from '../../src/agent/facts.ts'

const group = JSON.stringify({ spec: { nodeLabels: { disk: 'fast' }, taints: ['gpu=yes:NoSchedule'] } })

const context = (stored: { value: string; revision: number } | undefined) =>
  ({
    identity: { cluster: 'try', group: 'nodes', machineId: 'nodes-1', zone: 'a', address: '10.0.0.2' },
    store: { recall: async (key: string) => ({ key, ...(stored ? { stored } : {}), fresh: false }) },
  }) as unknown as AgentContext

test('a node has its group’s labels and taints', async () => {
  const facts = await nodeFacts(context({ value: group, revision: 1 }))
  expect(facts.nodeLabels).toEqual({ 'holdfast.dev/group': 'nodes', disk: 'fast' })
  expect(facts.taints).toEqual(['gpu=yes:NoSchedule'])
})

test('a machine that has never seen its group waits: nobody would add its taints later', async () => {
  await expect(nodeFacts(context(undefined))).rejects.toThrow(/no instance group nodes/)
})
