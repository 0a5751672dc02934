import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import { isIP } from 'node:net'
import { messageOf } from '../errors.ts'
import { EtcdError, etcdErrorKind } from './errors.ts'

export interface EtcdConnection {
  /** `https://a.main.example.com:2379`. Tried in this order: see `openGateway` for when the next one is. */
  endpoints: readonly string[]
  ca: string
  cert: string
  key: string
  /** For one whole call. Default 5,000. */
  timeoutMs?: number
  /** Addresses of names that no resolver knows: seats' names. */
  lookup?: (host: string) => string | undefined
}

/** A dead machine answers nothing at all: that much is waited for a connection before the next endpoint. */
const connectTimeoutMs = 1_000

export interface Gateway {
  /** @throws EtcdError */
  call<T>(path: string, body?: object, timeoutMs?: number): Promise<T>
  /** One message a line. @throws EtcdError */
  stream(
    path: string,
    body: object,
    onMessage: (message: object) => Promise<void>,
    timeoutMs: number,
  ): Promise<void>
  close(): void
}

/**
 * etcd's JSON gateway over mutual TLS. Every call is bounded, connections are kept.
 * A change moves on to the next endpoint only when nothing was done: without a connection, or where
 * strict reconfiguration refused it. Each member judges that by its own connections, and one can take a
 * peer for silent for minutes after it came back (a message that was sent to its former address fails late).
 */
export function openGateway(connection: EtcdConnection): Gateway {
  const agent = new Agent({
    keepAlive: true,
    maxSockets: 4,
    ca: connection.ca,
    cert: connection.cert,
    key: connection.key,
  })
  const defaultTimeoutMs = connection.timeoutMs ?? 5_000

  const open = (endpoint: string, path: string, body: object, signal: AbortSignal) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const url = new URL(path, endpoint)
      const name = url.hostname.replace(/^\[|\]$/g, '')
      const text = JSON.stringify(body)
      const outgoing = request({
        agent,
        host: connection.lookup?.(name) ?? name,
        // The certificate is checked against the name, whatever the address is.
        servername: isIP(name) ? '' : name,
        port: url.port || 443,
        path: url.pathname,
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(text),
          host: url.host,
        },
        signal,
      })
      let connected = outgoing.reusedSocket
      outgoing.on('socket', (socket) => {
        if (!socket.connecting) return
        const timer = setTimeout(
          () => outgoing.destroy(new Error(`no connection within ${connectTimeoutMs} ms`)),
          connectTimeoutMs,
        )
        socket.once('close', () => clearTimeout(timer))
        socket.once('secureConnect', () => {
          connected = true
          clearTimeout(timer)
        })
      })
      outgoing.on('response', resolve)
      outgoing.on('error', (error) => {
        reject(
          connected || outgoing.reusedSocket ? error : new NotConnected(messageOf(error), { cause: error }),
        )
      })
      outgoing.end(text)
    })

  /** Sends to the first endpoint that can be reached and hands its response to `use`. */
  const send = async <T>(
    path: string,
    body: object,
    timeoutMs: number,
    use: (response: IncomingMessage, endpoint: string) => Promise<T>,
  ): Promise<T> => {
    const signal = AbortSignal.timeout(timeoutMs)
    let last: EtcdError | undefined
    let refused: EtcdError | undefined
    // A kept connection may have died unnoticed: what only reads gets one more try for it.
    const tries = isRead(path) ? connection.endpoints.flatMap((e) => [e, e]) : connection.endpoints
    for (const endpoint of tries) {
      if (last?.kind === 'unreachable' && last.endpoint === endpoint) continue
      try {
        return await use(await open(endpoint, path, body, signal), endpoint)
      } catch (error) {
        if (error instanceof EtcdError) {
          if (error.kind !== 'unhealthy-cluster') throw error
          refused ??= error
          continue
        }
        if (signal.aborted) {
          const reason = last ? ` (before: ${last.message})` : ''
          throw new EtcdError(
            'timeout',
            4,
            endpoint,
            `${path}: no answer within ${timeoutMs} ms${reason}`,
            error,
          )
        }
        const kind = error instanceof NotConnected ? 'unreachable' : 'timeout'
        last = new EtcdError(kind, 14, endpoint, `${path}: ${messageOf(error)}`, error)
        if (kind === 'timeout' && !isRead(path)) throw last
      }
    }
    throw refused ?? last ?? new EtcdError('unreachable', 14, '(none)', 'no endpoint was given')
  }

  return {
    call: <T>(path: string, body: object = {}, timeoutMs = defaultTimeoutMs) =>
      send(path, body, timeoutMs, async (response, endpoint) => {
        let text = ''
        response.setEncoding('utf8')
        for await (const chunk of response) text += chunk
        const answer = parse(text, endpoint)
        if (response.statusCode !== 200) throw failure(answer, endpoint, response.statusCode)
        return answer as T
      }),
    stream: async (path, body, onMessage, timeoutMs) => {
      let failed: { error: unknown } | undefined
      await send(path, body, timeoutMs, async (response, endpoint) => {
        let rest = ''
        response.setEncoding('utf8')
        for await (const chunk of response) {
          const lines = (rest + chunk).split('\n')
          rest = lines.pop() ?? ''
          for (const line of lines.filter((text) => text !== '')) {
            const message = result(parse(line, endpoint), endpoint, response)
            try {
              await onMessage(message)
            } catch (error) {
              // What the receiver could not do is no failure of etcd.
              failed = { error }
              return
            }
          }
        }
        // An error that ends the answer may come without its newline.
        if (rest !== '') result(parse(rest, endpoint), endpoint, response)
      })
      if (failed) throw failed.error
    },
    close: () => agent.destroy(),
  }
}

/** The request never left: it is safe to try elsewhere. */
class NotConnected extends Error {}

const isRead = (path: string): boolean => /\/(list|range|status|hashkv)$/.test(path)

function parse(text: string, endpoint: string): object {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value
  } catch {
    // Told below, with what came instead.
  }
  throw new EtcdError('other', 2, endpoint, `answered no JSON: ${text.slice(0, 200)}`)
}

function result(message: object, endpoint: string, response: IncomingMessage): object {
  if ('result' in message && typeof message.result === 'object' && message.result !== null)
    return message.result
  const detail =
    'error' in message && typeof message.error === 'object' && message.error ? message.error : message
  throw failure(detail, endpoint, response.statusCode)
}

function failure(answer: object, endpoint: string, status: number | undefined): EtcdError {
  const code = 'code' in answer && typeof answer.code === 'number' ? answer.code : 2
  const message = 'message' in answer ? String(answer.message) : `HTTP status ${status}`
  return new EtcdError(etcdErrorKind(message, code), code, endpoint, message)
}
