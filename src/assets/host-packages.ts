import { access, constants, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, isAbsolute, join } from 'node:path'
import { HoldfastError } from '../errors.ts'
import { asStep, type Report } from '../events.ts'
import { runCommand } from './command.ts'
import { withLock } from './lock.ts'

/** Something of the host that Holdfast uses, and Debian's package that brings it. */
export interface HostPackage {
  /** A program on the path, or the absolute path of a file. */
  readonly tool: string
  readonly package: string
  readonly reason: string
}

/**
 * HAProxy is not here on purpose: Debian's package starts a service when it is installed. It runs
 * from a copy of the machine root instead.
 */
export const hostPackages: readonly HostPackage[] = [
  { tool: 'systemd-nspawn', package: 'systemd-container', reason: 'runs the machines' },
  { tool: 'mmdebstrap', package: 'mmdebstrap', reason: 'makes the machine root' },
  {
    tool: '/usr/share/keyrings/debian-archive-keyring.gpg',
    package: 'debian-archive-keyring',
    reason: 'checks the packages of the machine root',
  },
  { tool: 'gcc', package: 'gcc', reason: 'compiles pause' },
  { tool: 'strip', package: 'binutils', reason: 'compiles pause' },
  { tool: '/usr/include/stdlib.h', package: 'libc6-dev', reason: 'compiles pause' },
  { tool: 'ip', package: 'iproute2', reason: 'makes bridges and addresses' },
  { tool: 'nft', package: 'nftables', reason: 'lets the bridge through the host’s firewall' },
  { tool: 'mkfs.ext4', package: 'e2fsprogs', reason: 'formats volumes' },
  { tool: 'losetup', package: 'mount', reason: 'attaches volumes' },
  { tool: 'mount', package: 'mount', reason: 'mounts the machines’ roots' },
  { tool: 'nsenter', package: 'util-linux', reason: 'runs commands in machines' },
  { tool: 'flock', package: 'util-linux', reason: 'locks what only one process may do' },
  { tool: 'setpriv', package: 'util-linux', reason: 'ends what was started with this process' },
  { tool: 'sysctl', package: 'procps', reason: 'raises limits of the kernel' },
  {
    tool: '/etc/ssl/certs/ca-certificates.crt',
    package: 'ca-certificates',
    reason: 'checks the official sites',
  },
]

/** What administrators' programs are often not on the path of a user. */
const systemDirs = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin']

/** Of the whole host, whatever the home: packages are everybody's. Only root may write there. */
const hostLock = '/run/holdfast-packages.lock'

const updateTimeoutMs = 300_000
const installTimeoutMs = 900_000

/** The entries that are not on this host. */
export async function missingPackages(
  wanted: readonly HostPackage[] = hostPackages,
  env: NodeJS.ProcessEnv = process.env,
): Promise<HostPackage[]> {
  const dirs = [...(env.PATH ?? '').split(delimiter).filter(isAbsolute), ...systemDirs]
  const there = await Promise.all(wanted.map(({ tool }) => isThere(tool, dirs)))
  return wanted.filter((_, index) => !there[index])
}

async function isThere(tool: string, dirs: readonly string[]): Promise<boolean> {
  const candidates = isAbsolute(tool) ? [tool] : dirs.map((dir) => join(dir, tool))
  const mode = isAbsolute(tool) ? constants.R_OK : constants.X_OK
  const found = await Promise.all(
    candidates.map((file) =>
      access(file, mode).then(
        () => true,
        () => false,
      ),
    ),
  )
  return found.includes(true)
}

export interface InstallOptions {
  readonly report: Report
  /** Asked to end: nothing is begun any more. */
  readonly stop?: AbortSignal | undefined
  readonly wanted?: readonly HostPackage[]
  readonly env?: NodeJS.ProcessEnv
  readonly lock?: string
}

/**
 * Installs what is missing, once, and returns the packages it installed. One process of the host does
 * so at a time; the others wait and say for whom. Throws `host-packages-missing`, which lists them all, where
 * that takes another distribution's tools or root.
 */
export async function installMissing({
  report,
  stop,
  wanted = hostPackages,
  env = process.env,
  lock = hostLock,
}: InstallOptions): Promise<string[]> {
  const missing = await missingPackages(wanted, env)
  if (missing.length === 0) return []
  const packages = [...new Set(missing.map((entry) => entry.package))].sort()
  const noApt = (await missingPackages([{ tool: 'apt-get', package: 'apt', reason: '' }], env)).length > 0
  if (noApt) throw notInstallable(missing, 'apt-get is not on this host', packages)
  if (process.getuid?.() !== 0) throw notInstallable(missing, 'that takes root', packages)
  const title = `Installing on this host: ${packages.join(', ')}`
  return asStep(report, 'host-packages', title, async (progress) => {
    const onWait = (holder?: number) => {
      if (stop?.aborted) throw interrupted()
      progress(`waiting for process ${holder ?? 'unknown'}`)
    }
    return withLock(lock, { onWait }, async () => {
      if (stop?.aborted) throw interrupted()
      if ((await missingPackages(wanted, env)).length === 0) return []
      await installWithApt(packages, report, env, progress)
      const still = await missingPackages(wanted, env)
      if (still.length > 0) throw notInstallable(still, 'they are missing after their installation', packages)
      return packages
    })
  })
}

async function installWithApt(
  packages: readonly string[],
  report: Report,
  env: NodeJS.ProcessEnv,
  progress: (detail: string) => void,
): Promise<void> {
  const quiet = { ...env, DEBIAN_FRONTEND: 'noninteractive' }
  const patience = ['-o', 'DPkg::Lock::Timeout=300']
  progress('reading the package lists')
  // A broken list of somebody else's must not stop packages that are there.
  await runCommand('apt-get', ['update', ...patience], { env: quiet, timeoutMs: updateTimeoutMs }).catch(
    (error: Error) => report({ type: 'warning', message: error.message }),
  )
  await install(packages, ['install', ...patience, '-y', '--no-install-recommends'], quiet, progress)
}

/**
 * An installation that is killed half way leaves a host that somebody has to mend. So it goes on
 * should this process end, and writes to a file: a broken pipe would kill it just as well.
 */
async function install(
  packages: readonly string[],
  words: readonly string[],
  env: NodeJS.ProcessEnv,
  progress: (detail: string) => void,
): Promise<void> {
  progress('installing')
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-apt-'))
  const log = join(folder, 'log')
  const written = () => readFile(log, 'utf8').catch(() => '')
  const follow = setInterval(async () => {
    const line = (await written()).split('\n').findLast((text) => /^(Unpacking|Setting up) /.test(text))
    if (line) progress(line)
  }, 1_000)
  try {
    await runCommand('sh', ['-c', 'exec apt-get "$@" >"$HOLDFAST_LOG" 2>&1', 'sh', ...words, ...packages], {
      env: { ...env, HOLDFAST_LOG: log },
      timeoutMs: installTimeoutMs,
      outlives: true,
    })
  } catch (error) {
    throw new HoldfastError(
      'asset-command-failed',
      `apt-get install failed: ${(await written()).trim().slice(-2_000)}`,
      { remedy: `Install ${packages.join(' ')} yourself and run the command again.`, cause: error },
    )
  } finally {
    clearInterval(follow)
    await rm(folder, { recursive: true, force: true })
  }
}

const interrupted = () =>
  new HoldfastError('interrupted', 'Stopped, as asked. No package was installed.', {
    remedy: 'Go on with the same command.',
    exitCode: 130,
  })

const notInstallable = (missing: readonly HostPackage[], why: string, packages: readonly string[]) =>
  new HoldfastError(
    'host-packages-missing',
    `This host lacks ${missing.map(({ tool, reason }) => `${tool} (${reason})`).join(', ')}, and ${why}.`,
    {
      remedy: `Install Debian's packages ${packages.join(' ')} or your distribution's counterparts: sudo apt-get install ${packages.join(' ')}`,
    },
  )
