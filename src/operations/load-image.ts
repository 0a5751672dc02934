import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { copyFile, mkdir, rename, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { localPaths } from '../clouds/local/records.ts'
import { HoldfastError, messageOf } from '../errors.ts'
import { asStep } from '../events.ts'
import { syncPath } from '../folders.ts'
import type { Host } from '../hosts/host.ts'
import { readDeclared } from './declared.ts'
import type { Operation } from './operation.ts'

const importTimeoutMs = 300_000

/**
 * Imports an image archive (docker save or OCI layout, in a tar) into every machine of the cluster.
 * The archive is kept in `HOME/local/clusters/NAME/images`, from where later machines get it.
 * @returns the images' names and how many machines have them now.
 * @throws HoldfastError `archive-unreadable`, `image-not-imported`.
 */
export async function loadImage(
  operation: Operation,
  cluster: string,
  archive: string,
): Promise<{ images: string[]; machines: number }> {
  const { declaration } = await readDeclared(operation.store, cluster)
  const cloud = await operation.cloud(declaration.cluster.spec.cloud)
  const { machines } = await cloud.observe(cluster)
  const running = machines.filter((machine) => machine.state === 'running')
  const kept = await keepArchive(operation, cluster, archive)
  const images = new Set<string>()
  await Promise.all(
    running.map((machine) =>
      asStep(
        operation.report,
        `load ${machine.id}`,
        `Import ${basename(archive)} into ${machine.id}`,
        async () => {
          for (const name of await importInto(await cloud.host(machine.id), kept)) images.add(name)
        },
      ),
    ),
  )
  return { images: [...images].sort(), machines: running.length }
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

/** Named by its content, so that loading it again changes nothing. */
async function keepArchive(operation: Operation, cluster: string, archive: string): Promise<string> {
  const folder = join(localPaths(operation.home).cluster(cluster), 'images')
  try {
    const { size } = await stat(archive)
    if (size === 0) throw new Error('it is empty')
    const hash = createHash('sha256')
    for await (const chunk of createReadStream(archive)) hash.update(chunk)
    const kept = join(folder, `${hash.digest('hex').slice(0, 16)}.tar`)
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const draft = `${kept}.new`
    await copyFile(archive, draft)
    await syncPath(draft)
    await rename(draft, kept)
    return kept
  } catch (error) {
    throw new HoldfastError('archive-unreadable', `${archive} cannot be used: ${messageOf(error)}`, {
      remedy: 'Name an image archive that can be read.',
      exitCode: 2,
      cause: error,
    })
  }
}
