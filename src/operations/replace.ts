import { HoldfastError, InvalidInputError, type Problem } from '../errors.ts'
import { fixedFieldProblems, keptByRunning } from '../plan/fixed-fields.ts'
import { assignSeats } from '../spec/defaults.ts'
import { diffDeclarations } from '../spec/difference.ts'
import { parseDocuments } from '../spec/parse.ts'
import type { ClusterSpec, Declaration, InstanceGroupSpec } from '../spec/types.ts'
import { sortProblems, validateDeclaration } from '../spec/validate.ts'
import { writeCluster, writeGroup } from '../spec/write.ts'
import { keys } from '../store/keys.ts'
import { StoreConflictError } from '../store/store.ts'
import { anotherName, nameStays } from './another-name.ts'
import { type Declared, readDeclared, refuseUnfinishedDeletion, requireCluster } from './declared.ts'
import { openJournal } from './journal.ts'
import { withOperationLock } from './lock.ts'
import type { Operation } from './operation.ts'

interface ReplaceInput {
  text: string
  file: string
  /** The cluster that was named beside the text. */
  cluster: string | undefined
  /** The text is that cluster's declaration as an editor left it. */
  edited?: boolean
}

/**
 * Replaces the documents that a text holds; the others stay. Every document is written only if it is
 * still what it was.
 * @returns the cluster's name.
 * @throws InvalidInputError with every problem of the text; HoldfastError `declaration-conflict`.
 */
export async function replaceDeclared(operation: Operation, input: ReplaceInput): Promise<string> {
  const parsed = parseDocuments(input.text, input.file)
  throwOnErrors(parsed.problems, input.file)
  const cluster = clusterOf(parsed.documents, input)
  // A lock is a record of the store: none is made for a cluster that is not there.
  await requireCluster(operation.store, cluster)
  return withOperationLock(operation, cluster, async () => {
    const declared = await readDeclared(operation.store, cluster)
    // A file that leaves ranges out means those that are there.
    const present = declared.declaration.cluster.spec.networking
    const { documents } = parseDocuments(input.text, input.file, { present })
    const wanted = merge(declared.declaration, documents)
    throwOnErrors(validateDeclaration(wanted), input.file)
    const { cloud: kind } = declared.declaration.cluster.spec
    const inventory = await (await operation.cloud(kind)).observe(cluster)
    // Until something is made, everything may still change.
    if (inventory.network) {
      throwOnErrors(fixedFieldProblems(declared.declaration.cluster, wanted.cluster), input.file)
      for (const message of keptByRunning(declared.declaration, wanted))
        operation.report({ type: 'warning', message })
    }
    await writeDeclared(operation, declared, wanted)
    return cluster
  })
}

/**
 * Writes what is different, each document by compare-and-swap. Hold the operation lock.
 * @returns whether anything was.
 */
export async function writeDeclared(
  operation: Operation,
  declared: Declared,
  wanted: Declaration,
): Promise<boolean> {
  const { store } = operation
  const cluster = wanted.cluster.metadata.name
  const changed = new Set(
    diffDeclarations(declared.declaration, wanted).map(
      ({ path }) => /^groups\[([^\]]+)\]/.exec(path)?.[1] ?? '',
    ),
  )
  if (changed.size === 0) return false
  await refuseUnfinishedDeletion(store, cluster)
  const journal = await openJournal(store, cluster, 'replace')
  const put = (key: string, text: string) => {
    const revision = declared.revisions[key]
    return store.put(key, text, revision === undefined ? { ifAbsent: true } : { ifRevision: revision })
  }
  try {
    for (const group of wanted.groups) {
      const { name } = group.metadata
      if (changed.has(name)) await put(keys.group(cluster, name), writeGroup(group))
    }
    if (changed.has('')) await put(keys.clusterSpec(cluster), writeCluster(wanted.cluster))
  } catch (error) {
    await journal.end(error)
    if (!(error instanceof StoreConflictError)) throw error
    throw new HoldfastError('declaration-conflict', `${cluster} was changed by somebody else in between`, {
      remedy: `Look again with \`holdfast get cluster ${cluster} -o yaml\`, and repeat your change.`,
      exitCode: 4,
      cause: error,
    })
  }
  await journal.end()
  return true
}

function merge(existing: Declaration, documents: readonly (ClusterSpec | InstanceGroupSpec)[]): Declaration {
  let { cluster } = existing
  const groups = [...existing.groups]
  for (const document of documents) {
    if (document.kind === 'Cluster') {
      cluster = document
      continue
    }
    const at = groups.findIndex((group) => group.metadata.name === document.metadata.name)
    const before = groups[at]
    if (!before) groups.push(document)
    // A file that leaves the seat out means the one that is there.
    else groups[at] = document.spec.seat === undefined ? withSeat(document, before.spec.seat) : document
  }
  return { cluster, groups: assignSeats(groups) }
}

const withSeat = (group: InstanceGroupSpec, seat: string | undefined): InstanceGroupSpec =>
  seat === undefined ? group : { ...group, spec: { ...group.spec, seat } }

function clusterOf(
  documents: readonly (ClusterSpec | InstanceGroupSpec)[],
  { file, cluster, edited }: ReplaceInput,
): string {
  const names = new Set(
    documents.map((document) =>
      document.kind === 'Cluster' ? document.metadata.name : document.metadata.cluster,
    ),
  )
  const [only = cluster] = names
  if (only === undefined || names.size > 1) {
    throw new InvalidInputError(
      `${file} speaks of several clusters: ${[...names].join(', ')}`,
      [],
      edited ? nameStays : 'One at a time.',
    )
  }
  if (cluster !== undefined && cluster !== only) throw anotherName(file, only, cluster, edited)
  return only
}

function throwOnErrors(problems: readonly Problem[], file: string): void {
  if (sortProblems(problems).errors.length === 0) return
  throw new InvalidInputError(`${file} cannot be used`, [...problems], 'Nothing was changed.')
}
