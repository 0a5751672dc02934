import { HoldfastError } from '../../errors.ts'
import { ETCD_NAMES, type EtcdName } from '../../spec/types.ts'
import type { PutCondition, StateStore } from '../../store/store.ts'
import type { Machine, Volume } from '../cloud.ts'
import { type ApiHandler, type ApiRequest, notFound } from './api-server.ts'

/** What one machine may ask; the daemon binds it to the machine whose socket this is. */
export interface MachineCalls {
  machines(): Promise<Machine[]>
  volumes(seat: string): Promise<Volume[]>
  attach(volumeId: string): Promise<{ device: string }>
  createVolume(seat: string, etcd: EtcdName): Promise<Volume>
  /** The state store with this machine's rights. */
  store(): Promise<StateStore>
}

/** The API on a machine's own socket, which the agent meets through `localSurroundings`. */
export function machineApi(calls: MachineCalls): ApiHandler {
  return async (request) => {
    const { method, parts, query, body } = request
    const route = `${method} /${parts.map((part, index) => (index === 1 && parts[0] === 'volumes' ? ':id' : part)).join('/')}`
    switch (route) {
      case 'GET /machines':
        return await calls.machines()
      case 'GET /volumes':
        return await calls.volumes(required(query.get('seat'), 'seat'))
      case 'POST /volumes':
        return await calls.createVolume(required(field(body, 'seat'), 'seat'), etcdName(field(body, 'etcd')))
      case 'POST /volumes/:id/attach':
        return await calls.attach(required(parts[1], 'volume'))
      default:
        if (parts[0] === 'store') return await storeApi(await calls.store(), request)
        throw notFound(request)
    }
  }
}

async function storeApi(store: StateStore, request: ApiRequest): Promise<unknown> {
  const { method, parts, query, body } = request
  if (parts.length === 2 && parts[1] === 'keys' && method === 'GET') {
    return { keys: await store.list(query.get('prefix') ?? '') }
  }
  if (parts.length === 2 && parts[1] === 'entries' && method === 'GET') {
    return { entries: await store.entries(query.get('prefix') ?? '') }
  }
  if (parts.length !== 1) throw notFound(request)
  const key = query.get('key')
  // What is no key of the store, the empty one too, is the store's to refuse.
  if (key === null) throw bad('key is missing')
  switch (method) {
    case 'GET':
      return { stored: (await store.get(key)) ?? null }
    case 'PUT':
      return {
        revision: await store.put(key, text(field(body, 'value')), putCondition(field(body, 'condition'))),
      }
    case 'DELETE': {
      const condition = putCondition(field(body, 'condition'))
      if (condition && !('ifRevision' in condition)) throw bad('a delete knows only ifRevision')
      await store.delete(key, condition)
      return undefined
    }
    default:
      throw notFound(request)
  }
}

const bad = (what: string) =>
  new HoldfastError('bad-request', `The local cloud cannot use this request: ${what}`)

const field = (body: unknown, name: string): unknown =>
  typeof body === 'object' && body !== null ? (body as Record<string, unknown>)[name] : undefined

function text(value: unknown): string {
  if (typeof value !== 'string') throw bad('the value is not text')
  return value
}

function required(value: unknown, name: string): string {
  if (typeof value !== 'string' || value === '') throw bad(`${name} is missing`)
  return value
}

function etcdName(value: unknown): EtcdName {
  const found = ETCD_NAMES.find((name) => name === value)
  if (!found) throw bad(`etcd is one of ${ETCD_NAMES.join(', ')}`)
  return found
}

/** A condition that is not understood must never become an unconditional write. */
function putCondition(value: unknown): PutCondition | undefined {
  if (value === undefined) return undefined
  if (field(value, 'ifAbsent') === true) return { ifAbsent: true }
  const revision = field(value, 'ifRevision')
  if (typeof revision === 'number') return { ifRevision: revision }
  throw bad('the condition is neither ifRevision nor ifAbsent')
}
