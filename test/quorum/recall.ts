import type { World } from './world.ts'

/** What src/agent/remembering-store.ts answers. */
export function recall<T>(
  world: World,
  known: Versioned<T> | undefined,
  stored: Versioned<T> | undefined,
): Recalled<T> {
  const memory = known && { stored: known }
  if (world.store.away) return { ...memory, fresh: false }
  if (known && (stored?.revision ?? 0) < known.revision) return { ...memory, fresh: false }
  const differs = known && stored && known.revision === stored.revision && !same(known.value, stored.value)
  if (differs) return { ...memory, fresh: false }
  return stored ? { stored, fresh: true } : { fresh: true }
}

export type Versioned<T> = { value: T; revision: number }
type Recalled<T> = { stored?: Versioned<T>; fresh: boolean }
const same = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other)
