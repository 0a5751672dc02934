import { expect, test } from 'vitest'
import { deadNodes } from '../../src/agent/dead-nodes.ts'
import { essence, type Node } from '../../src/agent/node-watch.ts'

const now = Date.parse('2026-01-01T00:10:00Z')

const node = (name: string, changes: { labels?: Record<string, string>; created?: string } = {}) => {
  const { labels = { 'holdfast.dev/group': 'nodes' }, created = '2026-01-01T00:00:00Z' } = changes
  // As the agent keeps them.
  return [
    name,
    essence({ metadata: { name, labels, creationTimestamp: created } } as unknown as Node),
  ] as const
}

const dead = (nodes: (readonly [string, Node])[], machines: string[]) =>
  deadNodes(
    new Map(nodes),
    machines.map((id) => ({ id })),
    now,
  )

test('a machine that the cloud does not list is dead', () => {
  expect(dead([node('master-a-1'), node('master-b-1')], ['master-b-1'])).toEqual(['master-a-1'])
})

test('one that is listed lives, however long its node has not been ready', () => {
  expect(dead([node('master-a-1')], ['master-a-1'])).toEqual([])
})

test('one that has just come up may not be listed yet', () => {
  expect(dead([node('nodes-1', { created: '2026-01-01T00:09:58Z' })], [])).toEqual([])
})

test('a node that somebody else joined is theirs', () => {
  expect(dead([node('laptop', { labels: { 'kubernetes.io/hostname': 'laptop' } })], [])).toEqual([])
})
