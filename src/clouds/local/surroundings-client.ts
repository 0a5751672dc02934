import { readFile } from 'node:fs/promises'
import { HoldfastError, messageOf } from '../../errors.ts'
import type { Entry, PutCondition, StateStore, Stored } from '../../store/store.ts'
import { StoreUnavailableError } from '../../store/store.ts'
import type { Machine, Volume } from '../cloud.ts'
import type { Identity, Surroundings } from '../surroundings.ts'
import { CloudUnavailableError, call } from './api-wire.ts'

export interface LocalSurroundingsOptions {
  /** Default `/etc/holdfast/identity.json`. */
  identityFile?: string
  /** Default `/opt/holdfast/cloud/cloud.sock`. The socket is the machine's identity. */
  socketPath?: string
  connectTimeoutMs?: number
  answerTimeoutMs?: number
}

/**
 * The agent's side of the local cloud. Every call ends within `answerTimeoutMs` (default 10 s).
 * @throws HoldfastError `cloud-unavailable` while the local cloud's process is away; the store's calls
 *   throw StoreUnavailableError then.
 */
export function localSurroundings(options: LocalSurroundingsOptions = {}): Surroundings {
  const {
    identityFile = '/etc/holdfast/identity.json',
    socketPath = '/opt/holdfast/cloud/cloud.sock',
    ...bounds
  } = options
  const ask = <T>(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown): Promise<T> =>
    call<T>({ socketPath, method, path, ...bounds, ...(body === undefined ? {} : { body }) })
  const store = remoteStore(`the local cloud's socket ${socketPath}`, ask)
  return {
    async identify() {
      try {
        return JSON.parse(await readFile(identityFile, 'utf8')) as Identity
      } catch (error) {
        throw new HoldfastError('identity-missing', `${identityFile} cannot be read: ${messageOf(error)}`, {
          cause: error,
          remedy: 'The local cloud writes it before a machine boots; replace this machine.',
        })
      }
    },
    machines: () => ask<Machine[]>('GET', '/machines'),
    volumes: (seat) => ask<Volume[]>('GET', `/volumes?seat=${encodeURIComponent(seat)}`),
    attach: (volumeId) => ask<{ device: string }>('POST', `/volumes/${encodeURIComponent(volumeId)}/attach`),
    createVolume: (seat, etcd) => ask<Volume>('POST', '/volumes', { seat, etcd }),
    store: () => store,
  }
}

type Ask = <T>(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown) => Promise<T>

/** The state store behind the socket. A broken or late answer to a write means: outcome unknown. */
function remoteStore(location: string, ask: Ask): StateStore {
  const guarded: Ask = async <T>(...args: Parameters<Ask>): Promise<T> => {
    try {
      return await ask<T>(...args)
    } catch (error) {
      if (error instanceof CloudUnavailableError)
        throw new StoreUnavailableError(location, error.message, error)
      throw error
    }
  }
  const at = (key: string) => `/store?key=${encodeURIComponent(key)}`
  return {
    location,
    get: async (key) => (await guarded<{ stored: Stored | null }>('GET', at(key))).stored ?? undefined,
    put: async (key, value, condition?: PutCondition) =>
      (await guarded<{ revision: number }>('PUT', at(key), { value, ...(condition ? { condition } : {}) }))
        .revision,
    delete: async (key, condition) => {
      await guarded('DELETE', at(key), condition ? { condition } : {})
    },
    list: async (prefix) =>
      (await guarded<{ keys: string[] }>('GET', `/store/keys?prefix=${encodeURIComponent(prefix)}`)).keys,
    entries: async (prefix) =>
      (await guarded<{ entries: Entry[] }>('GET', `/store/entries?prefix=${encodeURIComponent(prefix)}`))
        .entries,
  }
}
