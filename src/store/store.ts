import { HoldfastError } from '../errors.ts'

/**
 * StateStore: what must last (spec, PKI, genesis, seats, journals). Values are text.
 *
 * Keys are slash-separated lower-case paths below a cluster's name, for example
 * `hacluster.example.com/seats/a.json`; see `keys.ts`.
 * Every key has a revision that only grows while the key exists, so that a store that was
 * rolled back is noticed by whoever remembers a higher one.
 */
export interface StateStore {
  /** For people: where this store is, for example `file:///var/lib/x`. */
  readonly location: string
  get(key: string): Promise<Stored | undefined>
  /**
   * Writes and returns the new revision. Without a condition the last writer wins.
   * @throws StoreConflictError when the condition does not hold; nothing was written then.
   * @throws StoreUnavailableError when the outcome is unknown: read back before trying again.
   */
  put(key: string, value: string, condition?: PutCondition): Promise<number>
  /** Deletes; a key that is not there is no error, unless `ifRevision` was asked for. */
  delete(key: string, condition?: { ifRevision: number }): Promise<void>
  /** Keys that start with `prefix`, sorted. */
  list(prefix: string): Promise<string[]>
  /**
   * What `list` names, with what is stored there. Each entry is whole, but they are no snapshot:
   * a key that is written or deleted meanwhile may be seen before or after.
   */
  entries(prefix: string): Promise<Entry[]>
}

export interface Entry extends Stored {
  key: string
}

export interface Stored {
  value: string
  revision: number
}

export type PutCondition = { ifRevision: number } | { ifAbsent: true }

export class StoreConflictError extends HoldfastError {
  readonly key: string
  constructor(key: string, message: string) {
    super('store-conflict', message, {
      remedy: 'Somebody else changed it in between: look again and repeat.',
    })
    this.key = key
  }
}

export class StoreUnavailableError extends HoldfastError {
  /** @param wrongPlace nothing was read there nor written, and the place that was named cannot be one of a store. */
  constructor(location: string, reason: string, cause?: unknown, wrongPlace = false) {
    super('store-unavailable', `The state store ${location} cannot be used: ${reason}`, {
      ...(wrongPlace
        ? {
            remedy:
              'Name another place with --state or in HOLDFAST_STATE_STORE: a folder that can be written.',
            exitCode: 2,
          }
        : { remedy: 'A running cluster goes on without it; changes wait until it is back.' }),
      cause,
    })
  }
}

/** The caller's role may not see or write this key. */
export class StoreDeniedError extends HoldfastError {
  constructor(key: string, role: string) {
    super('store-denied', `A ${role} may not use ${key} in the state store`)
  }
}
