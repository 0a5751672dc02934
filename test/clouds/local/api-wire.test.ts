import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { serveSocket } from '../../../src/clouds/local/api-server.ts'
import { CloudUnavailableError, call } from '../../../src/clouds/local/api-wire.ts'
import { localSurroundings } from '../../../src/clouds/local/surroundings-client.ts'
import { StoreUnavailableError } from '../../../src/store/store.ts'

describe('the wire', () => {
  let dir: string
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'hf-wire-'))
  })
  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  test('a cloud that never answers is given up on', async () => {
    const socketPath = join(dir, 'silent.sock')
    const server = createServer(() => {})
    await new Promise<void>((resolve) => server.listen(socketPath, () => resolve()))
    const surroundings = localSurroundings({ socketPath, answerTimeoutMs: 50 })

    await expect(surroundings.machines()).rejects.toMatchObject({
      code: 'cloud-unavailable',
      neverSent: false,
    })
    await expect(surroundings.store().put('c/x', '1')).rejects.toThrow(StoreUnavailableError)
    server.close()
  })

  test('an answer that breaks off is no answer', async () => {
    const socketPath = join(dir, 'broken.sock')
    const server = createServer((socket) => {
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"half":')
    })
    await new Promise<void>((resolve) => server.listen(socketPath, () => resolve()))

    await expect(call({ socketPath, method: 'GET', path: '/' })).rejects.toThrow(CloudUnavailableError)
    server.close()
  })

  test('a socket works however long its folder is called, and replaces what a killed one left', async () => {
    const folder = join(dir, 'x'.repeat(120))
    mkdirSync(folder)
    writeFileSync(join(folder, 'cloud.sock'), 'left behind')
    const socket = await serveSocket(folder, 'cloud.sock', async ({ parts }) => ({ parts }))
    // As the machine sees it: the same folder under a short name.
    const short = join(dir, 's')
    await import('node:fs/promises').then(({ symlink }) => symlink(folder, short))

    const answer = await call({ socketPath: join(short, 'cloud.sock'), method: 'GET', path: '/a%2Fb/c' })

    expect(answer).toEqual({ parts: ['a/b', 'c'] })
    await socket.close()
    await expect(call({ socketPath: join(short, 'cloud.sock'), method: 'GET', path: '/' })).rejects.toThrow()
  })

  test('who a machine is stands in a file of its own', async () => {
    const identityFile = join(dir, 'identity.json')
    const identity = { machineId: 'm-aaaaa', zone: 'a' }
    writeFileSync(identityFile, JSON.stringify(identity))

    expect(await localSurroundings({ identityFile }).identify()).toEqual(identity)
    await expect(localSurroundings({ identityFile: join(dir, 'none') }).identify()).rejects.toMatchObject({
      code: 'identity-missing',
    })
  })
})
