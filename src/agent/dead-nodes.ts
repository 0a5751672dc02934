import type { Machine } from '../clouds/cloud.ts'
import { groupLabel } from './facts.ts'
import type { Node } from './node-watch.ts'

/** A machine that has just come up may be in one of the two lists only. */
const youngMs = 5_000

/**
 * Nodes of machines that the cloud does not list any more: these are proven dead, and their names are never
 * used again. A machine that boots, hangs or could not be ended is listed. Nodes without our label were
 * joined by somebody else, and are theirs to delete.
 */
export const deadNodes = (
  nodes: ReadonlyMap<string, Node>,
  machines: readonly Pick<Machine, 'id'>[],
  now: number,
): string[] => {
  const listed = new Set(machines.map(({ id }) => id))
  return [...nodes].flatMap(([name, { metadata }]) => {
    const isYoung = now - Date.parse(metadata?.creationTimestamp ?? '') < youngMs
    return listed.has(name) || isYoung || !metadata?.labels?.[groupLabel] ? [] : [name]
  })
}
