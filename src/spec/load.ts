import type { Problem } from '../errors.ts'
import { assignSeats } from './defaults.ts'
import { inOrder, parseDocuments, type SpecDocument } from './parse.ts'
import type { ClusterSpec, Declaration, InstanceGroupSpec } from './types.ts'
import { type Circumstances, routesOf, validateDeclaration } from './validate.ts'

const isCluster = (document: SpecDocument): document is ClusterSpec => document.kind === 'Cluster'
const isGroup = (document: SpecDocument): document is InstanceGroupSpec => document.kind === 'InstanceGroup'

/**
 * Puts the documents of one cluster together: exactly one Cluster, and seats for masters that name
 * none. Groups keep the order in which they came.
 */
export function joinDocuments(documents: readonly SpecDocument[]): {
  declaration?: Declaration
  problems: Problem[]
} {
  const clusters = documents.filter(isCluster)
  const [cluster, second] = clusters
  if (!cluster)
    return {
      problems: [
        {
          severity: 'error',
          path: 'cluster',
          message: 'there is no Cluster',
          remedy: 'Add a document with kind: Cluster.',
        },
      ],
    }
  if (second) {
    const message = `there are ${clusters.length} Clusters: ${clusters.map((one) => one.metadata.name).join(', ')}`
    return {
      problems: [{ severity: 'error', path: 'cluster', message, remedy: 'Declare one cluster at a time.' }],
    }
  }
  return { declaration: { cluster, groups: assignSeats(documents.filter(isGroup)) }, problems: [] }
}

/**
 * A whole cluster from one file: read, put together and validated; every problem of the text with
 * its line and column. Without an error there is a declaration.
 */
export function loadDeclaration(
  text: string,
  file: string,
  circumstances: Circumstances = {},
): { declaration?: Declaration; problems: Problem[] } {
  const parsed = parseDocuments(text, file, { taken: routesOf(circumstances) })
  if (!parsed.complete) return { problems: parsed.problems }
  const joined = joinDocuments(parsed.documents)
  const { declaration } = joined
  if (!declaration) {
    const clusters = parsed.documents.flatMap((document, index) => (isCluster(document) ? [index] : []))
    const position = parsed.locate(clusters[1] ?? 0, ['kind'])
    return {
      problems: [
        ...parsed.problems,
        ...joined.problems.map((problem) => ({ ...problem, file, ...position })),
      ],
    }
  }
  const groupIndexes = parsed.documents.flatMap((document, index) => (isGroup(document) ? [index] : []))
  const clusterIndex = parsed.documents.findIndex(isCluster)
  const found = validateDeclaration(declaration, circumstances).map((problem) => {
    const [root, ...path] = pathParts(problem.path)
    const index = root === 'groups' ? (groupIndexes[Number(path.shift())] ?? clusterIndex) : clusterIndex
    return { ...problem, file, ...parsed.locate(index, path) }
  })
  const problems = inOrder([...parsed.problems, ...found])
  const broken = problems.some((problem) => problem.severity === 'error' && problem.blocks !== 'update')
  return { ...(broken ? {} : { declaration }), problems }
}

/** The opposite of `pathText`: `groups[2].spec.zones[0]`. */
function pathParts(path: string): (string | number)[] {
  return [...path.matchAll(/\["([^"]*)"\]|\[(\d+)\]|([\w-]+)/g)].map(([, quoted, index, word]) =>
    index === undefined ? (quoted ?? word ?? '') : Number(index),
  )
}
