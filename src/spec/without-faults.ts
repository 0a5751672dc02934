import type { z } from 'zod'
import { fieldsAt, meantField } from './schema-problems.ts'
import type { Path } from './yaml-source.ts'

/** Fields on which the checks of others depend: guessing them would make up problems. */
const foundations = [
  'cloud',
  'zones',
  'role',
  'size',
  'seat',
  'name',
  'cluster',
  'metadata',
  'spec',
  'networking',
]

/**
 * A copy of a document without the fields that do not fit the schema, so that the rest can be
 * judged as well; undefined when too much depends on them.
 */
export function withoutFaults(value: unknown, error: z.ZodError, schema: z.ZodType): unknown {
  const copy: unknown = structuredClone(value)
  const faults = error.issues.flatMap((issue): { path: Path; field: string }[] => {
    const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))
    if (issue.code !== 'unrecognized_keys') return [{ path, field: String(path[1] ?? path[0] ?? 'spec') }]
    const present = at(copy, path)
    return issue.keys.map((key) => {
      const meant = meantField(key, fieldsAt(schema, path)) ?? ''
      const isThere = typeof present === 'object' && present !== null && Object.hasOwn(present, meant)
      return { path: [...path, key], field: isThere ? '' : meant }
    })
  })
  if (faults.some(({ field, path }) => foundations.includes(field) && path.length <= 2)) return undefined
  for (const { path } of faults) remove(copy, path)
  return copy
}

const at = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>(
    (current, part) =>
      typeof current === 'object' && current !== null ? Reflect.get(current, part) : undefined,
    value,
  )

/** Takes the field out; of a list with one bad entry, the whole list. */
function remove(value: unknown, path: Path): void {
  const inList = path.findIndex((part) => typeof part === 'number')
  const whole = inList < 0 ? path : path.slice(0, inList)
  const parent = at(value, whole.slice(0, -1))
  const last = whole.at(-1)
  if (typeof parent === 'object' && parent !== null && last !== undefined)
    Reflect.deleteProperty(parent, last)
}
