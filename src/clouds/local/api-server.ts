import { chmodSync, closeSync, constants, openSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { HoldfastError } from '../../errors.ts'
import { encodeError } from './api-wire.ts'

export interface ApiRequest {
  method: string
  /** Decoded parts of the path: `/volumes/x/attach` is `['volumes', 'x', 'attach']`. */
  parts: string[]
  query: URLSearchParams
  /** Parsed JSON; undefined where there was none. */
  body: unknown
}

/** Answers with anything JSON can carry; undefined means an empty answer. */
export type ApiHandler = (request: ApiRequest) => Promise<unknown>

export interface ApiSocket {
  close(): Promise<void>
}

const maxBodyBytes = 64 * 1024 * 1024

/**
 * Serves `handler` on the unix socket `directory/name`, mode 0600; a leftover socket is replaced.
 * Paths of unix sockets end at 107 bytes, which a home and long names exceed; so it is bound
 * through the folder's descriptor, which stays open because node removes the socket by the same path.
 */
export async function serveSocket(directory: string, name: string, handler: ApiHandler): Promise<ApiSocket> {
  const folder = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY)
  const path = `/proc/self/fd/${folder}/${name}`
  const server = createServer((request, response) => {
    // The socket's own clients may be killed at any moment; their broken connections are nobody's error.
    request.on('error', () => {})
    response.on('error', () => {})
    answer(request, handler).then(({ status, body }) => {
      const text = body === undefined ? '' : JSON.stringify(body)
      response.writeHead(status, {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(text),
      })
      response.end(text)
    })
  })
  server.keepAliveTimeout = 1
  try {
    rmSync(join(directory, name), { force: true })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(path, () => resolve())
    })
    chmodSync(join(directory, name), 0o600)
  } catch (error) {
    closeSync(folder)
    throw error
  }
  let closing: Promise<void> | undefined
  return {
    close: () => {
      closing ??= new Promise<void>((resolve) => {
        server.close(() => {
          closeSync(folder)
          resolve()
        })
        server.closeAllConnections()
      })
      return closing
    },
  }
}

async function answer(
  request: IncomingMessage,
  handler: ApiHandler,
): Promise<{ status: number; body: unknown }> {
  try {
    const url = new URL(request.url ?? '/', 'http://local')
    const parts = url.pathname.split('/').filter(Boolean).map(decodeURIComponent)
    const body = await readBody(request)
    return {
      status: 200,
      body: await handler({ method: request.method ?? 'GET', parts, query: url.searchParams, body }),
    }
  } catch (error) {
    return encodeError(error)
  }
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += (chunk as Buffer).length
    if (size > maxBodyBytes)
      throw new HoldfastError('request-too-large', `A request of more than ${maxBodyBytes} bytes`)
    chunks.push(chunk as Buffer)
  }
  const text = Buffer.concat(chunks).toString('utf8')
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new HoldfastError('bad-request', 'The request is not JSON', { cause: error })
  }
}

export const notFound = (request: ApiRequest): HoldfastError =>
  new HoldfastError('no-such-call', `The local cloud knows no ${request.method} /${request.parts.join('/')}`)
