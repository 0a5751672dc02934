import { type PutCondition, StoreConflictError } from './store.ts'

/**
 * The one rule of compare-and-swap, shared by every store.
 * @param found the key's revision now; undefined when there is none.
 * @throws StoreConflictError
 */
export function checkCondition(
  key: string,
  found: number | undefined,
  condition: PutCondition | undefined,
): void {
  if (!condition) return
  if ('ifAbsent' in condition) {
    if (found !== undefined)
      throw new StoreConflictError(key, `${key} is there already, at revision ${found}`)
    return
  }
  if (found !== condition.ifRevision) {
    const now = found === undefined ? 'it is not there' : `it is at revision ${found}`
    throw new StoreConflictError(key, `${key} was expected at revision ${condition.ifRevision}, but ${now}`)
  }
}
