import type { ChildProcess } from 'node:child_process'
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
  if (!child || child.exitCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address ? address.port : 0
}
