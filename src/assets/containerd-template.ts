import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { HoldfastError } from '../errors.ts'
import { runCommand } from './command.ts'
import type { Making } from './recipe.ts'

const startTimeoutMs = 30_000
const stopTimeoutMs = 20_000
const importTimeoutMs = 300_000

export interface TemplateSources {
  /** Holds containerd and ctr. */
  readonly binDir: string
  /** Holds the OCI archives. */
  readonly imagesDir: string
}

/**
 * Fills `dir` with what /var/lib/containerd holds after every image was imported and unpacked for
 * the overlayfs snapshotter, by a containerd of its own that ends with this call. Nothing in it
 * names `dir`: containerd keeps only paths relative to its root.
 */
export async function prepareTemplate(
  sources: TemplateSources,
  dir: string,
  { progress, stop }: Pick<Making, 'progress' | 'stop'>,
): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), 'holdfast-containerd-'))
  const socket = join(work, 'containerd.sock')
  await writeFile(join(work, 'config.toml'), configuration(dir, work, socket))
  const args = ['--config', join(work, 'config.toml'), '--log-level', 'warn']
  // It ends with this process, however that ends.
  const bound = ['--pdeathsig', 'TERM', join(sources.binDir, 'containerd'), ...args]
  const child = spawn('setpriv', bound, {
    stdio: ['ignore', 'ignore', 'pipe'],
    // A Ctrl-C of the terminal must not end it in the middle of an import.
    detached: true,
    env: { ...process.env, PATH: `${sources.binDir}:${process.env.PATH ?? ''}` },
  })
  let written = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    written = (written + text).slice(-4000)
  })
  const ctr = (...rest: string[]) =>
    runCommand(join(sources.binDir, 'ctr'), ['--address', socket, '--namespace', 'k8s.io', ...rest], {
      timeoutMs: importTimeoutMs,
    })
  try {
    await untilAnswers(child, ctr, () => written)
    const archives = (await readdir(sources.imagesDir)).filter((name) => name.endsWith('.tar')).sort()
    for (const [index, archive] of archives.entries()) {
      stop?.throwIfAborted()
      progress(`importing image ${index + 1} of ${archives.length}`)
      await ctr('images', 'import', '--snapshotter', 'overlayfs', join(sources.imagesDir, archive))
    }
    for (const name of (await ctr('images', 'list', '--quiet')).split('\n').filter(Boolean)) {
      // Pinned, so that kubelet never removes an image that nothing could bring back.
      await ctr('images', 'label', name, 'io.cri-containerd.image=managed', 'io.cri-containerd.pinned=pinned')
    }
  } finally {
    await end(child)
    await rm(work, { recursive: true, force: true })
  }
  // Each machine's containerd makes an identity of its own.
  await rm(join(dir, 'io.containerd.grpc.v1.introspection'), { recursive: true, force: true })
}

const configuration = (root: string, work: string, socket: string): string => `version = 3
root = ${JSON.stringify(root)}
state = ${JSON.stringify(join(work, 'state'))}
temp = ${JSON.stringify(join(work, 'tmp'))}
disabled_plugins = ['io.containerd.grpc.v1.cri', 'io.containerd.cri.v1.images', 'io.containerd.cri.v1.runtime', 'io.containerd.internal.v1.opt', 'io.containerd.nri.v1.nri']

[grpc]
  address = ${JSON.stringify(socket)}

[ttrpc]
  address = ${JSON.stringify(`${socket}.ttrpc`)}
`

async function untilAnswers(
  child: ChildProcess,
  ctr: (...args: string[]) => Promise<string>,
  written: () => string,
): Promise<void> {
  const deadline = performance.now() + startTimeoutMs
  for (;;) {
    const reason = await ctr('version').then(
      () => undefined,
      (error: Error) => error.message,
    )
    if (reason === undefined) return
    const gone = child.exitCode !== null || child.signalCode !== null || child.pid === undefined
    if (gone || performance.now() > deadline) {
      throw new HoldfastError(
        'containerd-not-started',
        `containerd ${gone ? 'ended' : 'did not answer'} while images were imported: ${written() || reason}`,
        { remedy: 'Run the command as root on a file system that overlayfs accepts (ext4, xfs).' },
      )
    }
    await sleep(100)
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  const stopped = await Promise.race([ended.then(() => true), sleep(stopTimeoutMs, false, { ref: false })])
  if (!stopped) {
    child.kill('SIGKILL')
    await ended
  }
}

/** Makes a machine's /var/lib/containerd out of the template, sharing every file but the databases. */
export async function cloneContainerd(template: string, target: string): Promise<void> {
  await mkdir(target, { recursive: true, mode: 0o711 })
  const limit = { timeoutMs: 120_000 }
  try {
    await runCommand('cp', ['-al', '--', `${template}/.`, target], limit)
  } catch {
    // Another file system: shared blocks where it can do that, else a real copy.
    await runCommand('cp', ['-a', '--reflink=auto', '--', `${template}/.`, target], limit)
    return
  }
  // containerd writes to these: a link would change the template and every machine with it.
  for (const name of await readdir(template, { recursive: true })) {
    if (!name.endsWith('.db') || name.includes('/snapshots/')) continue
    await rm(join(target, name))
    await runCommand('cp', ['-a', '--reflink=auto', '--', join(template, name), join(target, name)], limit)
  }
}
