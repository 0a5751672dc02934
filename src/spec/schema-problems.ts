import { z } from 'zod'
import type { Problem } from '../errors.ts'
import { nearest, orList } from './nearest.ts'
import { type Path, pathText, type YamlDocument } from './yaml-source.ts'

/** Words of kops and of Kubernetes for fields that have another name here. */
const otherWords: Record<string, string> = {
  minSize: 'size',
  maxSize: 'size',
  count: 'size',
  replicas: 'size',
  subnets: 'zones',
  zone: 'zones',
  instanceType: 'machineType',
  version: 'kubernetesVersion',
  labels: 'nodeLabels',
  additionalSecurityGroups: 'securityGroups',
  cloudProvider: 'cloud',
  nonMasqueradeCIDR: 'podCidr',
  serviceClusterIPRange: 'serviceCidr',
  networkCIDR: 'machineCidr',
}

/** One problem for each thing that does not fit the schema, where it stands in the file. */
export function schemaProblems(
  error: z.ZodError,
  schema: z.ZodType,
  document: YamlDocument,
  file: string,
): Problem[] {
  return error.issues.flatMap((issue): Problem[] => {
    const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))
    if (issue.code === 'unrecognized_keys') {
      const known = fieldsAt(schema, path)
      return issue.keys.map((key) => ({
        severity: 'error',
        path: pathText([...path, key]),
        message: `${key} is no field that is known here`,
        remedy: fieldRemedy(key, known),
        file,
        ...document.locate([...path, key], 'key'),
      }))
    }
    const { message, remedy } = describeIssue(issue, valueAt(document.value, path), path)
    return [{ severity: 'error', path: pathText(path), message, remedy, file, ...document.locate(path) }]
  })
}

/** The field that an unknown one was meant to be, when that can be told. */
export function meantField(key: string, known: readonly string[]): string | undefined {
  const other = otherWords[key]
  return other !== undefined && known.includes(other) ? other : nearest(key, known)
}

function fieldRemedy(key: string, known: readonly string[]): string {
  const meant = meantField(key, known)
  return meant ? `Did you mean ${meant}?` : `There is ${orList(known)}.`
}

/** The names of the fields that an object at `path` may have. */
export function fieldsAt(schema: z.ZodType, path: Path): string[] {
  let current: unknown = schema
  for (const part of path) {
    const object = unwrap(current)
    if (object instanceof z.ZodObject) current = object.shape[String(part)]
    else if (object instanceof z.ZodArray) current = object.element
    else return []
  }
  const object = unwrap(current)
  return object instanceof z.ZodObject ? Object.keys(object.shape) : []
}

const unwrap = (schema: unknown): unknown =>
  schema instanceof z.ZodOptional ? unwrap(schema.unwrap()) : schema

function valueAt(value: unknown, path: Path): unknown {
  let current = value
  for (const part of path) {
    if (typeof current !== 'object' || current === null) return undefined
    current = Object.hasOwn(current, part) ? Reflect.get(current, part) : undefined
  }
  return current
}

const expectedWords: Record<string, string> = {
  string: 'text',
  int: 'a whole number',
  number: 'a whole number',
  array: 'a list',
  object: 'a mapping of fields',
  record: 'a mapping of names to text',
}

/** What a value of a file is, in words. */
export function kindOf(value: unknown): string {
  if (value === null) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a mapping of fields'
  if (typeof value === 'string') return `the text "${value.length > 40 ? `${value.slice(0, 40)}…` : value}"`
  return typeof value === 'boolean' ? `the truth value ${value}` : `the number ${String(value)}`
}

function describeIssue(
  issue: z.core.$ZodIssue,
  value: unknown,
  path: Path,
): { message: string; remedy: string } {
  const name = lastName(path)
  if (value === undefined) {
    const only =
      issue.code === 'invalid_value' && issue.values.length === 1 ? `: ${String(issue.values[0])}` : ''
    return { message: `${name} is missing`, remedy: `Add ${pathText(path)}${only}.` }
  }
  if (value === null) return { message: `${name} has no value`, remedy: 'Give it one, or take the line out.' }
  if (issue.code === 'invalid_value') {
    const values = issue.values.map(String)
    const meant = typeof value === 'string' ? nearest(value, values) : undefined
    return {
      message: `${name} cannot be ${kindOf(value)}`,
      remedy:
        meant && values.length > 1
          ? `Did you mean ${meant}? It can be ${orList(values)}.`
          : `Write ${orList(values)}.`,
    }
  }
  if (issue.code === 'too_small')
    return { message: `${name} has nothing in it`, remedy: 'It needs one entry at least.' }
  if (issue.code === 'too_big') return { message: `${name} is too large`, remedy: 'Write a smaller number.' }
  if (issue.code === 'invalid_type') {
    const expected = expectedWords[issue.expected] ?? issue.expected
    return {
      message: `${name} must be ${expected}, and is ${kindOf(value)}`,
      remedy: typeRemedy(issue.expected, value),
    }
  }
  return { message: `${name}: ${issue.message}`, remedy: 'Change it.' }
}

function typeRemedy(expected: string, value: unknown): string {
  if (expected === 'string' && (typeof value === 'number' || typeof value === 'boolean'))
    return `Put it in quotes: "${value}".`
  if (expected === 'array' && typeof value === 'string')
    return `Write a list: [${value
      .split(',')
      .map((part) => part.trim())
      .join(', ')}].`
  if ((expected === 'int' || expected === 'number') && typeof value === 'string' && /^\d+$/.test(value))
    return `Write it without quotes: ${value}.`
  return `Write ${expectedWords[expected] ?? expected}.`
}

const lastName = (path: Path): string => {
  const index = path.findLastIndex((part) => typeof part === 'string')
  if (index < 0) return 'the document'
  return index === path.length - 1 ? String(path[index]) : pathText(path.slice(index))
}
