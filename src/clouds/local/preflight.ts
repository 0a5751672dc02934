import { constants, existsSync } from 'node:fs'
import { access, mkdir, mkdtemp, readFile, rm, stat, statfs } from 'node:fs/promises'
import { arch, freemem, homedir, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { missingPackages } from '../../assets/host-packages.ts'
import { missingAssets } from '../../assets/list.ts'
import { type OfficialSites, officialSites, reachableSites } from '../../assets/official.ts'
import { HoldfastError, messageOf, type Problem } from '../../errors.ts'
import type { Home } from '../../home.ts'
import { localHost } from '../../hosts/local.ts'
import { isUnderSudo } from '../../permission.ts'
import type { FolderFacts } from './preflight-disk.ts'
import { type HostFacts, preflightProblems, type Wanted } from './preflight-rules.ts'

/** What is found out about this host, where tests give their own answers. */
export interface HostProbes {
  hostFacts?: (home: Home) => Promise<HostFacts>
  sites?: OfficialSites
}

/**
 * What keeps this host from holding a cluster, all in one list. Leaves nothing behind: file systems
 * and network devices are tried in namespaces that end with the try. Packages that apt can install
 * are no problem. Go builds what no official site has; whether they can be reached is asked only where
 * it makes a difference, because that may take three seconds.
 */
export async function preflight(
  home: Home,
  kubernetesVersion: string,
  wanted: Omit<Wanted, 'fetch' | 'build'>,
  probes: HostProbes = {},
): Promise<Problem[]> {
  const [facts, missing] = await Promise.all([
    (probes.hostFacts ?? hostFacts)(home),
    missingAssets({ kubernetesVersion, cache: home.cache }).catch(noneOfThisVersion),
  ])
  const problems = (build: boolean) =>
    preflightProblems(facts, { ...wanted, fetch: missing.names.length > 0, build })
  const unbuilt = problems(false)
  const built = problems(true)
  if (missing.sites.length === 0 || isDeepStrictEqual(built, unbuilt)) return unbuilt
  const reachable = await reachableSites(probes.sites ?? officialSites, process.env)
  return missing.sites.every((site) => reachable[site]) ? unbuilt : built
}

/** A version that is no longer supported is the declaration's fault, of which the list of its problems tells. */
function noneOfThisVersion(error: unknown): Awaited<ReturnType<typeof missingAssets>> {
  if (error instanceof HoldfastError && error.code === 'kubernetes-version-unsupported')
    return { names: [], sites: [] }
  throw error
}

export async function hostFacts(home: Home): Promise<HostFacts> {
  const root = process.getuid?.() === 0
  const foundGo = goFacts()
  const [osRelease, memory, missingTools, noApt, go, cgroup, overlay, links, inotify, ...disk] =
    await Promise.all([
      readFile('/etc/os-release', 'utf8').catch(() => ''),
      memoryFacts(),
      missingPackages(),
      missingPackages([{ tool: 'apt-get', package: 'apt', reason: '' }]),
      foundGo,
      cgroupFacts(),
      root ? tryOverlay(home.dir) : { works: false },
      root ? tryLinks() : [],
      inotifyFacts(),
      folderFacts(home.dir, 'home'),
      folderFacts(home.cache, 'cache'),
      foundGo.then((found) => folderFacts(found?.buildCache || usualGo.buildCache, 'go-build')),
      foundGo.then((found) => folderFacts(found?.moduleCache || usualGo.moduleCache, 'go-modules')),
    ])
  return {
    root,
    sudo: isUnderSudo(process.env),
    distribution: parseOsRelease(osRelease),
    architecture: arch(),
    memory,
    disk,
    missingTools,
    hasApt: noApt.length === 0,
    go,
    cgroup,
    loopControl: existsSync('/dev/loop-control'),
    fuse: existsSync('/dev/fuse'),
    overlay,
    // Without `ip`, which can be installed, nothing was found out.
    links: missingTools.some(({ tool }) => tool === 'ip') ? [] : links,
    inotify,
  }
}

export function parseOsRelease(text: string): HostFacts['distribution'] {
  const value = (name: string) =>
    new RegExp(`^${name}=["']?([^"'\\n]*)`, 'm').exec(text)?.[1]?.toLowerCase() ?? ''
  return { id: value('ID'), like: value('ID_LIKE').split(' ').filter(Boolean), version: value('VERSION_ID') }
}

async function memoryFacts(): Promise<HostFacts['memory']> {
  const text = await readFile('/proc/meminfo', 'utf8').catch(() => '')
  const available = /^MemAvailable:\s+(\d+) kB/m.exec(text)?.[1]
  return { total: totalmem(), available: available ? Number(available) * 1024 : freemem() }
}

async function folderFacts(path: string, what: FolderFacts['what']): Promise<FolderFacts> {
  let there = path
  while (!existsSync(there) && dirname(there) !== there) there = dirname(there)
  const writable = await access(there, constants.W_OK).then(
    () => true,
    () => false,
  )
  const free = await statfs(there).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => undefined,
  )
  const device = await stat(there).then(
    ({ dev }) => dev,
    () => undefined,
  )
  return { path, what, device, free, writable }
}

/** Where Go has its caches unless it is told otherwise. */
const usualGo = {
  buildCache: join(homedir(), '.cache', 'go-build'),
  moduleCache: join(homedir(), 'go', 'pkg', 'mod'),
}

const goFacts = (): Promise<(NonNullable<HostFacts['go']> & typeof usualGo) | undefined> =>
  localHost()
    // Where no module is that asks for another version.
    .run(['sh', '-c', 'cd / && go env GOVERSION GOTOOLCHAIN GOCACHE GOMODCACHE'], { timeoutMs: 10_000 })
    .then(
      ({ stdout }) => {
        const [version = '', toolchain = '', buildCache = '', moduleCache = ''] = stdout
          .split('\n')
          .map((line) => line.trim())
        return { version, toolchain, buildCache, moduleCache }
      },
      () => undefined,
    )

async function cgroupFacts(): Promise<HostFacts['cgroup']> {
  const unified = await readFile('/sys/fs/cgroup/cgroup.controllers', 'utf8').catch(() => undefined)
  if (unified !== undefined) return { version: 2, controllers: unified.trim().split(' ') }
  const mounts = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '')
  const controllers = mounts
    .split('\n')
    .filter((line) => line.includes(' - cgroup '))
    .flatMap((line) => (line.split(' ').at(-1) ?? '').split(','))
  return { version: controllers.length > 0 ? 1 : undefined, controllers }
}

async function inotifyFacts(): Promise<HostFacts['inotify']> {
  const path = '/proc/sys/fs/inotify/max_user_instances'
  const instances = Number(await readFile(path, 'utf8').catch(() => '0'))
  const writable = await access(path, constants.W_OK).then(
    () => true,
    () => false,
  )
  return { instances, writable }
}

interface Trial {
  works: boolean
  reason?: string
}

/** In a mount namespace of its own, on the home's own file system: an overlay on an overlay fails. */
async function tryOverlay(dir: string): Promise<Trial> {
  let folder: string | undefined
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 })
    folder = await mkdtemp(join(dir, '.preflight-'))
    const script = 'cd "$1" && mkdir l u w m && mount -t overlay -o lowerdir=l,upperdir=u,workdir=w overlay m'
    await localHost().run(['unshare', '--mount', 'sh', '-c', script, 'sh', folder], { timeoutMs: 10_000 })
    return { works: true }
  } catch (error) {
    return { works: false, reason: lastLine(error) }
  } finally {
    if (folder) await rm(folder, { recursive: true, force: true })
  }
}

/** In a network namespace of its own. */
function tryLinks(): Promise<HostFacts['links']> {
  const kinds = [
    ['bridge', 'ip link add t0 type bridge'],
    ['veth', 'ip link add t0 type veth peer name t1'],
    ['vxlan', 'ip link add t0 type vxlan id 1 dstport 4789 dev lo'],
  ] as const
  return Promise.all(
    kinds.map(async ([kind, script]) => ({
      kind,
      ...(await localHost()
        .run(['unshare', '--net', 'sh', '-c', script], { timeoutMs: 10_000 })
        .then(
          (): Trial => ({ works: true }),
          (error: unknown): Trial => ({ works: false, reason: lastLine(error) }),
        )),
    })),
  )
}

const lastLine = (error: unknown): string => messageOf(error).trim().split('\n').at(-1) ?? ''
