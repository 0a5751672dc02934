import { request as httpRequest } from 'node:http'
import { HoldfastError, messageOf } from '../../errors.ts'
import { StoreConflictError, StoreDeniedError, StoreUnavailableError } from '../../store/store.ts'

/**
 * How the local cloud talks over its unix sockets: JSON over HTTP, errors with their type.
 * The agent carries this file too, so it imports nothing heavy.
 */
export interface WireError {
  code: string
  message: string
  remedy?: string
  /** Of a lost race in the store. */
  key?: string
}

export interface Call {
  socketPath: string
  method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Path with query, already encoded. */
  path: string
  body?: unknown
  connectTimeoutMs?: number
  /** From the call's start to the last byte of the answer. */
  answerTimeoutMs?: number
}

/** Nothing answered, or not in time; whether the call was carried out is unknown. */
export class CloudUnavailableError extends HoldfastError {
  /** True when no connection was made, so that surely nothing was carried out. */
  readonly neverSent: boolean
  /** True when the time was over, rather than the connection: the call may still be under way. */
  readonly late: boolean
  constructor(reason: string, details: { neverSent: boolean; late: boolean; cause?: unknown }) {
    super('cloud-unavailable', `The local cloud does not answer: ${reason}`, {
      remedy: 'Any holdfast command starts it again, for example `holdfast get clusters`.',
      cause: details.cause,
    })
    this.neverSent = details.neverSent
    this.late = details.late
  }
}

/**
 * One request and its answer; a connection of its own, so that a restarted cloud is met afresh.
 * @throws CloudUnavailableError, or the error that the other side threw.
 */
export function call<T>(options: Call): Promise<T> {
  const { socketPath, method, path, connectTimeoutMs = 2_000, answerTimeoutMs = 10_000 } = options
  const payload = options.body === undefined ? undefined : JSON.stringify(options.body)
  return new Promise<T>((resolve, reject) => {
    let connected = false
    let settled = false
    const settle = (act: () => void) => {
      if (settled) return
      settled = true
      clearTimeout(connecting)
      clearTimeout(answering)
      act()
    }
    const fail = (reason: string, cause?: unknown, late = false) =>
      settle(() => {
        request.destroy()
        reject(new CloudUnavailableError(reason, { neverSent: !connected, late, cause }))
      })
    const connecting = setTimeout(() => fail(`no connection within ${connectTimeoutMs} ms`), connectTimeoutMs)
    const answering = setTimeout(
      () => fail(`no answer within ${answerTimeoutMs} ms`, undefined, true),
      answerTimeoutMs,
    )
    const headers = payload === undefined ? {} : { 'content-length': Buffer.byteLength(payload) }
    const request = httpRequest({ socketPath, method, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', (error) => fail(messageOf(error), error))
      response.on('aborted', () => fail('the answer broke off'))
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8')
        try {
          const answer: unknown = text === '' ? undefined : JSON.parse(text)
          if ((response.statusCode ?? 500) < 300) settle(() => resolve(answer as T))
          else settle(() => reject(decodeError(answer)))
        } catch (error) {
          fail('the answer is not JSON', error)
        }
      })
    })
    request.on('socket', (socket) => {
      socket.on('connect', () => {
        connected = true
        clearTimeout(connecting)
      })
    })
    request.on('error', (error) => fail(messageOf(error), error))
    request.end(payload)
  })
}

/** Status and body for an error; unknown errors keep their message but no stack. */
export function encodeError(error: unknown): { status: number; body: { error: WireError } } {
  if (!(error instanceof HoldfastError)) {
    return { status: 500, body: { error: { code: 'local-cloud-failed', message: messageOf(error) } } }
  }
  const { code, message, remedy } = error
  const body = { error: { code, message, ...(remedy ? { remedy } : {}) } as WireError }
  if (error instanceof StoreConflictError)
    return { status: 409, body: { error: { ...body.error, key: error.key } } }
  if (error instanceof StoreDeniedError) return { status: 403, body }
  if (error instanceof StoreUnavailableError) return { status: 503, body }
  return { status: 422, body }
}

/** The error as the other side threw it: the store's keep their class, all keep code and remedy. */
export function decodeError(answer: unknown): HoldfastError {
  const wire = (answer as { error?: Partial<WireError> } | undefined)?.error
  if (!wire?.code)
    return new HoldfastError('local-cloud-failed', 'The local cloud answered with an error that says nothing')
  const message = wire.message ?? wire.code
  switch (wire.code) {
    case 'store-conflict':
      return new StoreConflictError(wire.key ?? '', message)
    case 'store-denied':
      return Object.assign(new StoreDeniedError('', ''), { message })
    case 'store-unavailable':
      return Object.assign(new StoreUnavailableError('', ''), { message })
    default:
      return new HoldfastError(wire.code, message, wire.remedy ? { remedy: wire.remedy } : {})
  }
}
