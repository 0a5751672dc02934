import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { messageOf } from '../errors.ts'
import { KubeApiError, kubeApiError } from './api-error.ts'
import { type KubeCredentials, rotatingAgent } from './credentials.ts'

export interface KubeConnection extends KubeCredentials {
  /** `https://10.1.0.2:6443` */
  server: string
  /** For one whole request. Default 10,000. */
  timeoutMs?: number
  /** Name in the server's certificate, where it is not the host of `server`. */
  serverName?: string
}

export interface Exchange {
  method: string
  path: string
  body?: string
  contentType?: string
  accept?: string
  timeoutMs?: number
  signal?: AbortSignal
}

export interface Transport {
  /** @throws KubeApiError */
  text(exchange: Exchange): Promise<string>
  /** Calls `onLine` for each line until the server ends the answer or `signal` aborts. @throws KubeApiError */
  lines(exchange: Exchange, onLine: (line: string) => Promise<void> | void): Promise<void>
  close(): void
}

/** HTTPS with client certificates, connections kept, every request bounded. */
export function openTransport(connection: KubeConnection): Transport {
  const agents = rotatingAgent(connection)
  const defaultTimeoutMs = connection.timeoutMs ?? 10_000

  const open = (exchange: Exchange, signal: AbortSignal) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const url = new URL(exchange.path, connection.server)
      const outgoing = request(url, {
        agent: agents.current(),
        method: exchange.method,
        headers: {
          accept: exchange.accept ?? 'application/json',
          'user-agent': 'holdfast',
          ...(connection.token ? { authorization: `Bearer ${connection.token}` } : {}),
          ...(exchange.body === undefined
            ? {}
            : {
                'content-type': exchange.contentType ?? 'application/json',
                'content-length': Buffer.byteLength(exchange.body),
              }),
        },
        ...(connection.serverName ? { servername: connection.serverName } : {}),
        signal,
      })
      let connected = false
      outgoing.on('socket', (socket) => {
        connected = !socket.connecting
        // A kept socket comes back for every request: what is added to it would pile up.
        if (connected) return
        // A watch on a machine that lost its power must not last until the watch's own end.
        socket.setKeepAlive(true, 5_000)
        socket.once('secureConnect', () => {
          connected = true
        })
      })
      outgoing.on('response', resolve)
      outgoing.on('error', (error) => reject(new Broken(error, connected, outgoing.reusedSocket)))
      outgoing.end(exchange.body)
    })

  const send = async <T>(exchange: Exchange, use: (response: IncomingMessage) => Promise<T>): Promise<T> => {
    const timeoutMs = exchange.timeoutMs ?? defaultTimeoutMs
    const limit = AbortSignal.timeout(timeoutMs)
    const signal = exchange.signal ? AbortSignal.any([limit, exchange.signal]) : limit
    const where = `${exchange.method} ${connection.server}${exchange.path.split('?')[0]}`
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await use(await open(exchange, signal))
      } catch (error) {
        if (error instanceof KubeApiError) throw error
        if (exchange.signal?.aborted) throw new KubeApiError(0, 'Aborted', `${where}: given up`, error)
        const broken = error instanceof Broken ? error : undefined
        if (limit.aborted) {
          const reason = broken?.connected === false ? 'Unreachable' : 'Timeout'
          throw new KubeApiError(0, reason, `${where}: no answer within ${timeoutMs} ms`, error)
        }
        // A kept connection may have been closed by the server in the meantime: reading again is safe.
        if (broken?.reused && exchange.method === 'GET' && attempt <= 3) continue
        const reason = broken?.connected === false ? 'Unreachable' : 'Timeout'
        throw new KubeApiError(0, reason, `${where}: ${messageOf(broken?.cause ?? error)}`, error)
      }
    }
  }

  const readAll = async (response: IncomingMessage): Promise<string> => {
    let text = ''
    response.setEncoding('utf8')
    for await (const chunk of response) text += chunk
    return text
  }

  const refuse = async (response: IncomingMessage, exchange: Exchange): Promise<void> => {
    const status = response.statusCode ?? 0
    if (status >= 200 && status < 300) return
    const where = `${exchange.method} ${exchange.path.split('?')[0]}`
    throw kubeApiError(status, await readAll(response), where)
  }

  return {
    text: (exchange) =>
      send(exchange, async (response) => {
        await refuse(response, exchange)
        return readAll(response)
      }),
    lines: async (exchange, onLine) => {
      let failed: { error: unknown } | undefined
      await send(exchange, async (response) => {
        await refuse(response, exchange)
        let rest = ''
        response.setEncoding('utf8')
        for await (const chunk of response) {
          const lines = (rest + chunk).split('\n')
          rest = lines.pop() ?? ''
          try {
            for (const line of lines) if (line !== '') await onLine(line)
          } catch (error) {
            // The callback's own error is none of the connection's.
            failed = { error }
            return
          }
        }
      })
      if (failed) throw failed.error
    },
    close: agents.close,
  }
}

/** The connection failed: before (`connected` false) or after the request could have been sent. */
class Broken extends Error {
  readonly connected: boolean
  readonly reused: boolean
  constructor(cause: Error, connected: boolean, reused: boolean) {
    super(cause.message, { cause })
    this.connected = connected
    this.reused = reused
  }
}
