import type { Declaration } from './types.ts'

/** One thing that two declarations of the same cluster have differently. */
export interface Difference {
  /** `cluster.spec.zones` or `groups[nodes].spec.size`: groups go by their names. */
  path: string
  /** Undefined where the thing is not there. */
  from: unknown
  to: unknown
}

/** Everything that differs, in a stable order. Lists are compared as a whole; the order of groups is nothing. */
export function diffDeclarations(from: Declaration, to: Declaration): Difference[] {
  const differences = compare('cluster', from.cluster, to.cluster)
  const names = [...from.groups, ...to.groups].map((group) => group.metadata.name)
  for (const name of [...new Set(names)].sort()) {
    const before = from.groups.find((group) => group.metadata.name === name)
    const after = to.groups.find((group) => group.metadata.name === name)
    differences.push(...compare(`groups[${name}]`, before, after))
  }
  return differences
}

function compare(path: string, from: unknown, to: unknown): Difference[] {
  if (Object.is(from, to)) return []
  if (isMapping(from) && isMapping(to)) {
    const keys = [...new Set([...Object.keys(from), ...Object.keys(to)])].sort()
    return keys.flatMap((key) => compare(`${path}.${key}`, own(from, key), own(to, key)))
  }
  if (Array.isArray(from) && Array.isArray(to) && sameList(from, to)) return []
  return [{ path, from, to }]
}

const own = (value: Record<string, unknown>, key: string): unknown =>
  Object.hasOwn(value, key) ? value[key] : undefined

const sameList = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((item, index) => Object.is(item, b[index]))

const isMapping = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Whether a difference is only in how many workers there are, which may change at any time. */
export const isWorkerCount = (difference: Difference, declaration: Declaration): boolean =>
  declaration.groups.some(
    (group) => group.spec.role === 'node' && difference.path === `groups[${group.metadata.name}].spec.size`,
  )
