import { createWriteStream } from 'node:fs'
import { rename, rm, stat } from 'node:fs/promises'
import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { HoldfastError, messageOf } from '../errors.ts'
import { sha256OfFile } from './manifest.ts'
import { takeBundle } from './remedies.ts'

export interface DownloadOptions {
  /** HTTP_PROXY, HTTPS_PROXY and NO_PROXY are respected, in either case of letters. */
  env: NodeJS.ProcessEnv
  progress?: (detail: string) => void
  attempts?: number
  /** Ends the download; what was received is kept. */
  stop?: AbortSignal | undefined
}

const redirectLimit = 5
const idleTimeoutMs = 30_000
const textLimitBytes = 1 << 20
const fileTimeoutMs = 1_800_000

/** Whether the address answers at all in time; a server's own errors count as no answer. */
export async function answers(url: string, env: NodeJS.ProcessEnv, timeoutMs: number): Promise<boolean> {
  try {
    const response = await open(url, { env }, {}, AbortSignal.timeout(timeoutMs))
    response.destroy()
    return (response.statusCode ?? 500) < 500
  } catch {
    return false
  }
}

/** A small text, for example a checksum file. Throws `download-failed`. */
export const downloadText = (url: string, options: DownloadOptions): Promise<string> =>
  withAttempts(url, options, async () => {
    const response = await open(url, options, {}, AbortSignal.timeout(idleTimeoutMs))
    expectStatus(url, response, [200])
    const chunks: Buffer[] = []
    let size = 0
    for await (const chunk of response) {
      size += (chunk as Buffer).length
      if (size > textLimitBytes) throw new Error(`${url} is larger than a text should be`)
      chunks.push(chunk as Buffer)
    }
    return Buffer.concat(chunks).toString('utf8')
  })

/**
 * Downloads to `file` and checks its SHA-256. What was received before a kill or a broken
 * connection is kept beside it as `.part` and continued from. Throws `checksum-mismatch`, after
 * removing what does not match, and `download-failed`.
 */
export async function downloadFile(
  url: string,
  file: string,
  sha256: string,
  options: DownloadOptions,
): Promise<void> {
  if ((await sizeOf(file)) > 0 && (await sha256OfFile(file)) === sha256) return
  const part = `${file}.part`
  await withAttempts(url, options, () => receive(url, part, options))
  const received = await sha256OfFile(part)
  if (received !== sha256) {
    await rm(part, { force: true })
    throw new HoldfastError(
      'checksum-mismatch',
      `${url} has the SHA-256 ${received}, but ${sha256} was published. It was not used.`,
      { remedy: 'Run the command again; if it stays so, something between you and that site alters files.' },
    )
  }
  await rename(part, file)
}

async function receive(url: string, part: string, options: DownloadOptions): Promise<void> {
  const have = await sizeOf(part)
  const headers: Record<string, string> = have > 0 ? { range: `bytes=${have}-` } : {}
  const late = AbortSignal.timeout(fileTimeoutMs)
  const signal = options.stop ? AbortSignal.any([options.stop, late]) : late
  const response = await open(url, options, headers, signal)
  // 416: the part is already the whole file.
  if (response.statusCode === 416 && have > 0) {
    response.destroy()
    return
  }
  expectStatus(url, response, [200, 206])
  const continued = response.statusCode === 206
  const start = continued ? have : 0
  const total = start + Number(response.headers['content-length'] ?? 0)
  const name = new URL(url).pathname.split('/').at(-1)
  let done = start
  response.on('data', (chunk: Buffer) => {
    done += chunk.length
    options.progress?.(`${name}: ${megabytes(done)} of ${total > start ? megabytes(total) : '?'} MB`)
  })
  await pipeline(response, createWriteStream(part, { flags: continued ? 'a' : 'w', mode: 0o600 }), { signal })
  if (total > start && done !== total) throw new Error(`the connection ended after ${done} of ${total} bytes`)
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(0)

async function open(
  url: string,
  options: DownloadOptions,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  let address = new URL(url)
  for (let hops = 0; hops <= redirectLimit; hops++) {
    const response = await request(address, options.env, headers, signal)
    const { location } = response.headers
    const status = response.statusCode ?? 0
    if (status < 300 || status >= 400 || !location) return response
    response.destroy()
    const next = new URL(location, address)
    if (address.protocol === 'https:' && next.protocol !== 'https:') {
      throw new Error(`${address.href} redirects to ${next.href}, which is not encrypted`)
    }
    address = next
  }
  throw new Error(`${url} redirects more than ${redirectLimit} times`)
}

function request(
  address: URL,
  env: NodeJS.ProcessEnv,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const library = address.protocol === 'https:' ? https : http
  return new Promise((resolve, reject) => {
    const agent = new library.Agent({ proxyEnv: env })
    const sent = library.get(address, { agent, headers, signal, timeout: idleTimeoutMs }, resolve)
    sent.on('timeout', () =>
      sent.destroy(new Error(`${address.host} sent nothing for ${idleTimeoutMs / 1000} s`)),
    )
    sent.on('error', reject)
  })
}

function expectStatus(url: string, response: IncomingMessage, wanted: number[]): void {
  if (wanted.includes(response.statusCode ?? 0)) return
  response.destroy()
  throw new HoldfastError('download-refused', `${url} answered ${response.statusCode}.`)
}

async function withAttempts<T>(url: string, options: DownloadOptions, action: () => Promise<T>): Promise<T> {
  const attempts = options.attempts ?? 3
  for (let attempt = 1; ; attempt++) {
    try {
      return await action()
    } catch (error) {
      const final = error instanceof HoldfastError && error.code === 'download-refused'
      if (final || attempt >= attempts || options.stop?.aborted) {
        throw new HoldfastError('download-failed', `${url} could not be downloaded: ${messageOf(error)}`, {
          remedy: `Check the connection and HTTPS_PROXY. ${takeBundle}`,
          cause: error,
        })
      }
      await sleep(500 * attempt)
    }
  }
}

const sizeOf = (file: string): Promise<number> =>
  stat(file).then(
    (found) => found.size,
    () => 0,
  )
