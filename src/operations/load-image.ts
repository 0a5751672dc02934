import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { copyFile, link, mkdir, readdir, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Machine } from '../clouds/cloud.ts'
import { identityOf, isRunning } from '../clouds/local/process.ts'
import { localPaths } from '../clouds/local/records.ts'
import { HoldfastError, isErrno, messageOf } from '../errors.ts'
import { asStep } from '../events.ts'
import { syncPath } from '../folders.ts'
import type { Host } from '../hosts/host.ts'
import { clusterNotMade } from './credentials.ts'
import { readDeclared } from './declared.ts'
import type { Operation } from './operation.ts'

const importTimeoutMs = 300_000

/**
 * Imports an image archive (docker save or OCI layout, in a tar) into every machine of the cluster.
 * One that a machine could import is kept in `HOME/local/clusters/NAME/images`, from where later machines get it.
 * @returns the images' names and how many machines have them now.
 * @throws HoldfastError `archive-unreadable`, `cluster-not-made`, `no-machine-runs`, `image-not-imported`.
 */
export async function loadImage(
  operation: Operation,
  cluster: string,
  archive: string,
): Promise<{ images: string[]; machines: number }> {
  const { declaration } = await readDeclared(operation.store, cluster)
  const cloud = await operation.cloud(declaration.cluster.spec.cloud)
  const { machines } = await cloud.observe(cluster)
  if (machines.length === 0) throw clusterNotMade(cluster)
  const running = machines.filter(({ state }) => state === 'running')
  if (running.length === 0) {
    throw new HoldfastError('no-machine-runs', `No machine of ${cluster} runs, so none can import an image`, {
      remedy: `Look with \`holdfast get machines ${cluster}\`, and run \`holdfast update cluster ${cluster} --yes\`.`,
    })
  }
  const { draft, kept } = await draftOf(operation, cluster, archive)
  const images = new Set<string>()
  const importedBy = new Set<string>()
  const importIntoAll = async (some: readonly Machine[]): Promise<void> => {
    const attempts = some.map(({ id }) =>
      asStep(operation.report, `load ${id}`, `Import ${basename(archive)} into ${id}`, async () => {
        for (const name of await importInto(await cloud.host(id), draft)) images.add(name)
        importedBy.add(id)
      }),
    )
    const failed = (await Promise.allSettled(attempts)).find(({ status }) => status === 'rejected')
    if (importedBy.size > 0) await keep(draft, kept)
    if (failed?.status === 'rejected') throw failed.reason
  }
  try {
    await importIntoAll(running)
    // Those that began in between may have looked for archives before it was there.
    const later = (await cloud.observe(cluster)).machines.filter(
      ({ id, state }) => state === 'running' && !importedBy.has(id),
    )
    await importIntoAll(later)
  } finally {
    await rm(draft, { force: true })
  }
  return { images: [...images].sort(), machines: importedBy.size }
}

async function importInto(host: Host, archive: string): Promise<string[]> {
  const remote = `/var/lib/containerd/holdfast-import-${basename(archive)}`
  await host.upload(archive, remote)
  try {
    const { stdout } = await host.run(['ctr', '--namespace', 'k8s.io', 'images', 'import', remote], {
      timeoutMs: importTimeoutMs,
    })
    return stdout.split('\n').flatMap((line) => /^(\S+)\s+saved/.exec(line)?.[1] ?? [])
  } catch (error) {
    throw new HoldfastError(
      'image-not-imported',
      `${host.name} could not import the archive: ${messageOf(error)}`,
      {
        remedy: 'It must be a tar made by `docker save`, or of an OCI image layout, for this processor.',
        cause: error,
      },
    )
  } finally {
    await host.run(['rm', '-f', remote]).catch(() => {})
  }
}

/**
 * A copy that no machine sees yet, and where they look for it. Named by its content, so that loading it again
 * changes nothing.
 */
async function draftOf(
  operation: Operation,
  cluster: string,
  archive: string,
): Promise<{ draft: string; kept: string }> {
  const folder = join(localPaths(operation.home).cluster(cluster), 'images')
  try {
    const { size } = await stat(archive)
    if (size === 0) throw new Error('it is empty')
    const hash = createHash('sha256')
    for await (const chunk of createReadStream(archive)) hash.update(chunk)
    const kept = join(folder, `${hash.digest('hex').slice(0, 16)}.tar`)
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await removeLeftDrafts(folder)
    const own = await identityOf(process.pid)
    const draft = `${kept}.${own?.pid}.${own?.startTime}.${own?.boot}.new`
    await copyFile(archive, draft)
    await syncPath(draft)
    return { draft, kept }
  } catch (error) {
    throw new HoldfastError('archive-unreadable', `${archive} cannot be used: ${messageOf(error)}`, {
      remedy: 'Name an image archive that can be read.',
      exitCode: 2,
      cause: error,
    })
  }
}

/** Each is a whole archive; named after the process that made it, which removes it unless it is killed. */
async function removeLeftDrafts(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.endsWith('.new')) continue
    const [pid, startTime = '', boot = ''] = name.split('.').slice(2)
    if (!(await isRunning({ pid: Number(pid), startTime, boot })))
      await rm(join(folder, name), { force: true })
  }
}

/** From now on machines that start get it. */
async function keep(draft: string, kept: string): Promise<void> {
  await link(draft, kept).catch((error: unknown) => {
    if (!isErrno(error, 'EEXIST')) throw error
  })
}
