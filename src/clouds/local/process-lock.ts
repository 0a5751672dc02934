import { createServer, type Server } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { HoldfastError, isErrno } from '../../errors.ts'

/**
 * Runs `action` while holding a lock of this host. The lock is a name in the kernel's abstract
 * socket space: the kernel gives it up when its holder dies in whatever way, so none is ever stale.
 * @throws HoldfastError `host-lock-busy` after `timeoutMs`.
 */
export async function withHostLock<T>(
  name: string,
  action: () => Promise<T>,
  timeoutMs = 30_000,
): Promise<T> {
  const end = performance.now() + timeoutMs
  for (;;) {
    const server = await tryListen(`\0holdfast/${name}`)
    if (server) {
      try {
        return await action()
      } finally {
        await new Promise((resolve) => server.close(resolve))
      }
    }
    if (performance.now() >= end) {
      throw new HoldfastError(
        'host-lock-busy',
        `Another process has held the lock ${name} for ${timeoutMs} ms`,
        {
          remedy: 'Wait for the other command to end, then repeat.',
        },
      )
    }
    await sleep(20)
  }
}

function tryListen(path: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy())
    server.once('error', (error) => (isErrno(error, 'EADDRINUSE') ? resolve(undefined) : reject(error)))
    server.listen(path, () => resolve(server))
  })
}
