import type { z } from 'zod'
import type { Problem } from '../errors.ts'
import { clusterWithDefaults, groupWithDefaults, type RangeChoice } from './defaults.ts'
import { nearest } from './nearest.ts'
import { networkingChoice } from './networking.ts'
import { clusterSchema, instanceGroupSchema } from './schema.ts'
import { kindOf, schemaProblems } from './schema-problems.ts'
import { API_VERSION, type ClusterSpec, type InstanceGroupSpec } from './types.ts'
import { withoutFaults } from './without-faults.ts'
import { type Position, readYaml, type YamlDocument } from './yaml-source.ts'

export type SpecDocument = ClusterSpec | InstanceGroupSpec

export interface ParsedFile {
  /**
   * What could be read, with defaults. When there is a problem of severity `error` these are good
   * for looking for further problems only.
   */
  documents: SpecDocument[]
  problems: Problem[]
  /** Whether every document is among `documents`, so that they can be judged together. */
  complete: boolean
  /** Where a path of `documents[index]` stands in the file. */
  locate(index: number, path: readonly (string | number)[]): Position
}

/**
 * Reads Cluster and InstanceGroup documents and reports every problem at once. Never throws.
 * @param file only named in the problems
 */
export function parseDocuments(text: string, file: string, ranges: RangeChoice = {}): ParsedFile {
  const yaml = readYaml(text, file)
  const problems = [...yaml.problems]
  if (yaml.documents.length === 0 && problems.length === 0)
    problems.push({
      severity: 'error',
      path: '',
      message: 'the file is empty',
      remedy: 'Write a Cluster and its InstanceGroups; `holdfast create cluster NAME --dry-run` shows some.',
      file,
      line: 1,
      column: 1,
    })
  const read = yaml.documents.map((document) => parseOne(document, file, ranges))
  problems.push(...read.flatMap((one) => one.problems))
  const kept = read.flatMap((one, index) =>
    one.spec ? [{ spec: one.spec, source: yaml.documents[index] }] : [],
  )
  return {
    documents: kept.map((one) => one.spec),
    problems: inOrder(problems),
    complete: yaml.problems.length === 0 && kept.length > 0 && kept.length === read.length,
    locate: (index, path) => kept[index]?.source?.locate(path) ?? { line: 1, column: 1 },
  }
}

/** As they stand in the file, from top to bottom. */
export const inOrder = (problems: readonly Problem[]): Problem[] =>
  [...problems].sort((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0))

const kinds = ['Cluster', 'InstanceGroup'] as const

function parseOne(
  document: YamlDocument,
  file: string,
  ranges: RangeChoice,
): { spec?: SpecDocument; problems: Problem[] } {
  const { value } = document
  const problem = (path: string[], message: string, remedy: string): Problem => ({
    severity: 'error',
    path: path.join('.'),
    message,
    remedy,
    file,
    ...document.locate(path),
  })
  if (!isRecord(value))
    return {
      problems: [
        problem(
          [],
          `the document must be a mapping of fields, and is ${kindOf(value)}`,
          'Begin with `kind: Cluster`.',
        ),
      ],
    }
  const kind = kinds.find((known) => known === value.kind)
  if (!kind) {
    const given = value.kind
    if (given === undefined)
      return {
        problems: [problem(['kind'], 'kind is missing', 'Write kind: Cluster or kind: InstanceGroup.')],
      }
    const meant = typeof given === 'string' ? nearest(given, kinds) : undefined
    const remedy = meant ? `Did you mean ${meant}?` : 'It is Cluster or InstanceGroup.'
    return { problems: [problem(['kind'], `kind cannot be ${kindOf(given)}`, remedy)] }
  }
  const problems: Problem[] = []
  const version = value.apiVersion
  if (version !== undefined && version !== API_VERSION) {
    const ofKops = typeof version === 'string' && version.startsWith('kops')
    const message = `apiVersion cannot be ${kindOf(version)}${ofKops ? ': files of kops are not read' : ''}`
    problems.push(
      problem(['apiVersion'], message, `Write ${API_VERSION}${ofKops ? ' and look at docs/schema' : ''}.`),
    )
    value.apiVersion = API_VERSION
  }
  if (kind === 'Cluster') {
    problems.push(...settleNetworking(value, problem))
    return read(clusterSchema, (input) => clusterWithDefaults(input, ranges), document, file, problems)
  }
  return read(instanceGroupSchema, groupWithDefaults, document, file, problems)
}

/** Words of kops stand for others here; told before the schema looks, which knows only ours. */
function settleNetworking(
  value: Record<string, unknown>,
  problem: (path: string[], message: string, remedy: string) => Problem,
): Problem[] {
  const spec = value.spec
  const networking = isRecord(spec) ? spec.networking : undefined
  const word = isRecord(networking) ? networking.kind : undefined
  if (!isRecord(networking) || typeof word !== 'string') return []
  const choice = networkingChoice(word)
  networking.kind = 'kind' in choice ? choice.kind : 'cni'
  const said = 'kind' in choice ? choice.warning : choice.error
  if (!said) return []
  const found = problem(['spec', 'networking', 'kind'], said.message, said.remedy)
  return ['kind' in choice ? { ...found, severity: 'warning' } : found]
}

function read<Input>(
  schema: z.ZodType<Input>,
  complete: (input: Input) => SpecDocument,
  document: YamlDocument,
  file: string,
  problems: Problem[],
): { spec?: SpecDocument; problems: Problem[] } {
  const first = schema.safeParse(document.value)
  if (first.success) return { spec: complete(first.data), problems }
  const all = [...problems, ...schemaProblems(first.error, schema, document, file)]
  // What is left may still be judged, so that a user hears of everything at once.
  const second = schema.safeParse(withoutFaults(document.value, first.error, schema))
  return second.success ? { spec: complete(second.data), problems: all } : { problems: all }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
