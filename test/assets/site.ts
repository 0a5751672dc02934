import { createHash } from 'node:crypto'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

export const sha256 = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex')

/** Stands in for an official site; returns its base address. */
export async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Serves files by path, and answers 404 for others. */
export const files =
  (contents: Record<string, string | Buffer>, seen: string[] = []): RequestListener =>
  (request, response) => {
    seen.push(request.url ?? '')
    const content = contents[request.url ?? '']
    if (content === undefined) response.writeHead(404).end()
    else response.writeHead(200, { 'content-length': Buffer.byteLength(content) }).end(content)
  }
