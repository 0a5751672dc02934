import type { ChildProcess } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { etcdRecipe } from '../../../src/assets/catalog.ts'
import { obtain } from '../../../src/assets/recipe.ts'
import { assetContext } from '../../../src/assets/resolve.ts'
import { componentVersions } from '../../../src/assets/versions.ts'
import { kubernetes } from '../../../src/constants.ts'
import { silent } from '../../../src/events.ts'
import { resolveHome } from '../../../src/home.ts'

/** The programs that machines run, for processes of etcd on this host's loopback. */
export async function etcdBinaries(): Promise<{ etcd: string; etcdutl: string }> {
  const kubernetesVersion = kubernetes.defaultVersion
  const context = await assetContext({ kubernetesVersion, cache: resolveHome().cache, report: silent })
  const { dir } = await obtain(etcdRecipe(componentVersions(kubernetesVersion)), context)
  return { etcd: join(dir, 'etcd'), etcdutl: join(dir, 'etcdutl') }
}

/** Ends a process that may have ended already, and waits for it. */
export async function killChild(child: ChildProcess | undefined): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

/**
 * A free port below those that the kernel gives to outgoing connections: whoever dials one of them before anybody
 * listens there could otherwise take it, or be connected to itself.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const port = 20_000 + randomInt(10_000)
    const server = createServer().listen(port, '127.0.0.1')
    const listens = await once(server, 'listening').then(
      () => true,
      () => false,
    )
    if (!listens) continue
    server.close()
    await once(server, 'close')
    return port
  }
  throw new Error('no free port among 50')
}
