import { chmod, mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { writeDurably } from '../../durable-file.ts'
import { HoldfastError, isErrno, messageOf } from '../../errors.ts'
import { syncPath } from '../../folders.ts'
import type { Home } from '../../home.ts'
import type { LocalCluster, LocalMachine, LocalVolume } from './parts.ts'

/** Where the local cloud keeps what it must remember; everything is below HOME/local. */
export function localPaths(home: Pick<Home, 'dir'>) {
  const root = join(home.dir, 'local')
  const cluster = (name: string) => join(root, 'clusters', name)
  const machine = (name: string, id: string) => join(cluster(name), 'machines', id)
  return {
    root,
    socketName: 'cloud.sock',
    socket: join(root, 'cloud.sock'),
    log: join(root, 'cloud.log'),
    lock: join(root, 'lock'),
    clusters: join(root, 'clusters'),
    cluster,
    clusterRecord: (name: string) => join(cluster(name), 'cluster.json'),
    machine,
    machineRecord: (name: string, id: string) => join(machine(name, id), 'machine.json'),
    /** Bind-mounted into the machine; holds its socket and nothing else. */
    machineSocketDir: (name: string, id: string) => join(machine(name, id), 'socket'),
    volumes: (name: string) => join(cluster(name), 'volumes'),
    volumeRecord: (name: string, id: string) => join(cluster(name), 'volumes', `${id}.json`),
  } as const
}

export interface ClusterRecords {
  cluster: LocalCluster
  machines: LocalMachine[]
  volumes: LocalVolume[]
}

/** Names of the clusters that have a folder, sorted. */
export async function clusterNames(home: Pick<Home, 'dir'>): Promise<string[]> {
  return (await listing(localPaths(home).clusters)).sort()
}

/**
 * Everything that is remembered of one cluster; undefined when there is no record of it.
 * @throws HoldfastError `record-broken`.
 */
export async function readCluster(
  home: Pick<Home, 'dir'>,
  name: string,
): Promise<ClusterRecords | undefined> {
  const paths = localPaths(home)
  const cluster = await readClusterRecord(home, name)
  if (!cluster) return undefined
  const machines: LocalMachine[] = []
  for (const id of (await listing(join(paths.cluster(name), 'machines'))).sort()) {
    const machine = await readRecord<LocalMachine>(paths.machineRecord(name, id))
    if (machine) machines.push(machine)
  }
  const volumes: LocalVolume[] = []
  for (const file of (await listing(paths.volumes(name))).sort()) {
    if (!file.endsWith('.json')) continue
    const volume = await readRecord<LocalVolume>(join(paths.volumes(name), file))
    if (volume) volumes.push(volume)
  }
  return { cluster, machines, volumes }
}

/** The cluster's own record alone. @throws HoldfastError `record-broken`. */
export const readClusterRecord = (home: Pick<Home, 'dir'>, name: string): Promise<LocalCluster | undefined> =>
  readRecord<LocalCluster>(localPaths(home).clusterRecord(name))

/** Atomic and lasting: after a kill at any moment the file is whole, old or new. Mode 0600. */
export async function writeRecord(path: string, value: unknown): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  await writeDurably(path, `${JSON.stringify(value, undefined, 2)}\n`)
}

export async function removeRecord(path: string): Promise<void> {
  await rm(path, { force: true })
  await syncPath(dirname(path)).catch((error: unknown) => {
    if (!isErrno(error, 'ENOENT')) throw error
  })
}

/** Forgets a cluster of which nothing is left. */
export async function removeClusterFolder(home: Pick<Home, 'dir'>, name: string): Promise<void> {
  const paths = localPaths(home)
  // The record goes last, so that a removal that was cut short is found and repeated.
  for (const entry of await listing(paths.cluster(name))) {
    if (entry !== 'cluster.json') await rm(join(paths.cluster(name), entry), { recursive: true, force: true })
  }
  await rm(paths.cluster(name), { recursive: true, force: true })
}

/** Half-written drafts of a writer that was killed. */
export async function removeDrafts(folder: string): Promise<void> {
  for (const name of await listing(folder)) {
    if (/^\..+\.new$/.test(name)) await rm(join(folder, name), { force: true })
  }
}

export async function makePrivateFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 })
  await chmod(path, 0o700)
}

async function readRecord<T>(path: string): Promise<T | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
  try {
    return JSON.parse(text) as T
  } catch (error) {
    throw new HoldfastError(
      'record-broken',
      `The local cloud's record ${path} is broken: ${messageOf(error)}`,
      {
        cause: error,
        remedy: 'Somebody edited it; put it right, or remove the folder once nothing of that cluster runs.',
      },
    )
  }
}

async function listing(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return []
    throw error
  }
}
