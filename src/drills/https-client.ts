import { Agent, type RequestOptions, request } from 'node:https'
import { isIP } from 'node:net'
import { checkServerIdentity, createSecureContext, type SecureContext } from 'node:tls'
import type { ApiTarget } from './kubeconfig.ts'

/** An answer, or its beginning: `cut` tells why the body did not arrive whole. */
export interface HttpAnswer {
  status: number
  body: string
  cut?: string
}

export interface HttpCall {
  method: 'GET' | 'POST' | 'DELETE'
  path: string
  body?: unknown
  accept?: string
  /** For everything together: connection, TLS handshake, request, answer. */
  timeoutMs: number
}

/** Asks one apiserver (or etcd member), each time on a new connection with a full TLS handshake. */
export interface HttpsClient {
  /** @throws Error with the connection's own message or `no answer within N ms`. */
  call(call: HttpCall): Promise<HttpAnswer>
}

/** The largest answer that is read: a page of a list stays far below. */
const maxBodyBytes = 16 * 1024 * 1024

/**
 * @param verifyName false where certificates carry other names than the address that is asked; the
 *   authority is checked all the same.
 */
export function httpsClient(target: ApiTarget, options: { verifyName?: boolean } = {}): HttpsClient {
  // Parsing keys and certificates once keeps the client cheap; the handshakes stay real.
  const secureContext = createSecureContext({ ca: target.ca, cert: target.cert, key: target.key })
  const agent = new Agent({ keepAlive: false, maxCachedSessions: 0 })
  const verifyName = options.verifyName ?? true
  return {
    call: ({ method, path, body, accept, timeoutMs }) =>
      new Promise((resolve, reject) => {
        const payload = body === undefined ? undefined : JSON.stringify(body)
        const options: RequestOptions & { secureContext: SecureContext } = {
          agent,
          secureContext,
          host: target.host,
          port: target.port,
          servername: isIP(target.serverName) ? '' : target.serverName,
          checkServerIdentity: (_host, certificate) =>
            verifyName ? checkServerIdentity(target.serverName, certificate) : undefined,
          method,
          path,
          headers: {
            accept: accept ?? 'application/json',
            ...(payload
              ? { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }
              : {}),
            ...(target.token ? { authorization: `Bearer ${target.token}` } : {}),
          },
        }
        const outgoing = request(options)
        let answer: { status: number; chunks: Buffer[]; bytes: number } | undefined
        const settle = (cut?: Error): void => {
          clearTimeout(timer)
          if (!answer) {
            reject(cut ?? new Error('the connection closed without an answer'))
            return
          }
          const text = Buffer.concat(answer.chunks).toString('utf8')
          resolve({ status: answer.status, body: text, ...(cut ? { cut: cut.message } : {}) })
        }
        const timer = setTimeout(
          () => outgoing.destroy(new Error(`no answer within ${timeoutMs} ms`)),
          timeoutMs,
        )
        outgoing.on('error', settle)
        outgoing.on('close', () => settle(new Error('the connection was cut')))
        outgoing.on('response', (incoming) => {
          const received = { status: incoming.statusCode ?? 0, chunks: [] as Buffer[], bytes: 0 }
          answer = received
          incoming.on('data', (chunk: Buffer) => {
            received.bytes += chunk.length
            if (received.bytes > maxBodyBytes) incoming.destroy(new Error('the answer is too large'))
            else received.chunks.push(chunk)
          })
          incoming.on('error', settle)
          incoming.on('end', () => settle())
        })
        outgoing.end(payload)
      }),
  }
}
