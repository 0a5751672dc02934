import { createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, copyFile, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { cloneContainerd } from '../../assets/containerd-template.ts'
import { HoldfastError } from '../../errors.ts'
import type { Home } from '../../home.ts'
import { sha256OfFile } from '../../hosts/local.ts'
import { cgroupVersion } from './machine-cgroup.ts'
import { machineFiles } from './machine-files.ts'
import type { LocalCluster, LocalMachine, MachineAssets } from './parts.ts'
import { localPaths } from './records.ts'

/** What lies in one machine's folder; `machine.json` in it is the daemon's. */
export function machineFolders(home: Pick<Home, 'dir'>, cluster: string, id: string) {
  const paths = localPaths(home)
  const dir = paths.machine(cluster, id)
  return {
    dir,
    /** Where the overlay is mounted: only in the machine's own mount namespace, never on the host. */
    root: join(dir, 'root'),
    upper: join(dir, 'upper'),
    work: join(dir, 'work'),
    cni: join(dir, 'cni'),
    containerd: join(dir, 'containerd'),
    kubelet: join(dir, 'kubelet'),
    podLogs: join(dir, 'pod-logs'),
    agent: join(dir, 'agent.cjs'),
    socket: paths.machineSocketDir(cluster, id),
    /** Image archives of the user's, which every machine imports when it boots. */
    images: join(paths.cluster(cluster), 'images'),
    console: join(dir, 'console.log'),
  } as const
}

/** Makes the folder of a new machine, or readies an old one for another boot. May be repeated. */
export async function prepareMachineFolder(
  home: Pick<Home, 'dir'>,
  machine: LocalMachine,
  network: NonNullable<LocalCluster['network']>,
  identity: object,
  assets: MachineAssets,
): Promise<void> {
  const folders = machineFolders(home, machine.cluster, machine.id)
  await mkdir(folders.dir, { recursive: true, mode: 0o700 })
  await mkdir(folders.socket, { recursive: true, mode: 0o700 })
  await mkdir(folders.images, { recursive: true, mode: 0o700 })
  // nspawn's working folders for its own overlays, which a killed machine leaves.
  for (const name of await readdir(folders.dir)) {
    if (name.startsWith('.#')) await rm(join(folders.dir, name), { recursive: true, force: true })
  }
  for (const folder of [
    folders.root,
    folders.upper,
    folders.work,
    folders.cni,
    folders.kubelet,
    folders.podLogs,
  ]) {
    await mkdir(folder, { recursive: true })
    await chmod(folder, 0o755)
  }
  await Promise.all([placeContainerd(assets.containerdTemplate, folders), placeAgent(assets, folders.agent)])
  const files = machineFiles({
    machine,
    identity,
    network,
    cgroupVersion: cgroupVersion(),
    nameservers: await hostNameservers(),
    systemdMachineId: createHash('sha256').update(`${folders.dir}`).digest('hex').slice(0, 32),
  })
  for (const file of files) {
    const path = join(folders.upper, file.path)
    await mkdir(dirname(path), { recursive: true, mode: 0o755 })
    if ('folder' in file) {
      await mkdir(path, { recursive: true, mode: file.mode ?? 0o755 })
      continue
    }
    const temporary = `${path}.${randomBytes(6).toString('hex')}.new`
    if ('linkTo' in file) {
      await symlink(file.linkTo, temporary)
    } else {
      await writeFile(temporary, file.content)
      await chmod(temporary, file.mode ?? 0o644)
    }
    await rename(temporary, path)
  }
}

/** Under another name first: a half made copy must not look like a whole one after a kill. */
async function placeContainerd(template: string, folders: ReturnType<typeof machineFolders>): Promise<void> {
  if (existsSync(folders.containerd)) return
  const half = `${folders.containerd}.half`
  await rm(half, { recursive: true, force: true })
  await cloneContainerd(template, half)
  await rename(half, folders.containerd)
}

async function placeAgent(assets: MachineAssets, target: string): Promise<void> {
  if ((await sha256OfFile(target).catch(() => undefined)) === assets.agentSha256) return
  const temporary = `${target}.new`
  await copyFile(assets.agentBundle, temporary)
  const found = await sha256OfFile(temporary)
  if (found !== assets.agentSha256) {
    await rm(temporary, { force: true })
    throw new HoldfastError(
      'agent-checksum',
      `The agent's bundle ${assets.agentBundle} has SHA-256 ${found}, expected ${assets.agentSha256}`,
      { remedy: 'Run the command again: the bundle is made anew. Was it changed by hand?' },
    )
  }
  await rename(temporary, target)
}

/** The host's own servers, without those that only answer on the host itself. */
export async function hostNameservers(): Promise<string[]> {
  for (const path of ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf']) {
    const servers = usableNameservers(await readFile(path, 'utf8').catch(() => ''))
    if (servers.length > 0) return servers
  }
  return []
}

export const usableNameservers = (resolvConf: string): string[] =>
  [...resolvConf.matchAll(/^\s*nameserver\s+([0-9.]+)\s*$/gm)]
    .map((match) => match[1] ?? '')
    .filter((address) => !address.startsWith('127.'))
