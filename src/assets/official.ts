import { chmod, copyFile, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { HoldfastError } from '../errors.ts'
import { runCommand } from './command.ts'
import { answers, type DownloadOptions, downloadFile, downloadText } from './download.ts'
import { architecture } from './versions.ts'

/** Base addresses of the official release sites; a mirror keeps the paths below them. */
export interface OfficialSites {
  /** `BASE/release/vX/bin/linux/ARCH/NAME` and `NAME.sha256`. */
  readonly kubernetes: string
  /** `BASE/OWNER/NAME/releases/download/vX/FILE`. */
  readonly github: string
}

export const officialSites: OfficialSites = { kubernetes: 'https://dl.k8s.io', github: 'https://github.com' }

const probeTimeoutMs = 3000

/** The sites that answer in time (three seconds unless told), both asked at once. */
export async function reachableSites(
  sites: OfficialSites,
  env: NodeJS.ProcessEnv,
  timeoutMs = probeTimeoutMs,
): Promise<Partial<OfficialSites>> {
  const [kubernetes, github] = await Promise.all(
    [`${sites.kubernetes}/release/stable.txt`, sites.github].map((url) => answers(url, env, timeoutMs)),
  )
  return {
    ...(kubernetes ? { kubernetes: sites.kubernetes } : {}),
    ...(github ? { github: sites.github } : {}),
  }
}

/** An official release: where its files are and what they hold. */
export interface Release {
  readonly site: keyof OfficialSites
  readonly files: readonly ReleaseFile[]
}

export interface ReleaseFile {
  /** Below the site's base. */
  readonly path: string
  /** The published checksum: bare, or lines of `SHA256 NAME`. */
  readonly checksumPath: string
  /** The programs in an archive; left out, the file is itself the program. */
  readonly programs?: readonly string[]
}

export const kubernetesRelease = (version: string, programs: readonly string[]): Release => ({
  site: 'kubernetes',
  files: programs.map((name) => {
    const path = `release/v${version}/bin/linux/${architecture()}/${name}`
    return { path, checksumPath: `${path}.sha256` }
  }),
})

/** `file` and `checksum` may hold ARCH. */
export const githubRelease = (
  repository: string,
  version: string,
  file: string,
  checksum: string,
  programs: readonly string[],
): Release => {
  const base = `${repository}/releases/download/v${version}/`
  const path = `${base}${file}`.replace('ARCH', architecture())
  return {
    site: 'github',
    files: [{ path, checksumPath: `${base}${checksum}`.replace('ARCH', architecture()), programs }],
  }
}

export interface FetchReleaseOptions extends DownloadOptions {
  /** Whole and partial downloads are kept here until the release is complete. */
  downloads: string
}

/**
 * Puts a release's programs into `dir`. Throws `checksum-mismatch` for a file that is not what was
 * published, `download-failed` for one that cannot be had.
 */
export async function fetchRelease(
  release: Release,
  base: string,
  dir: string,
  options: FetchReleaseOptions,
): Promise<void> {
  await mkdir(options.downloads, { recursive: true, mode: 0o700 })
  const used: string[] = []
  for (const file of release.files) {
    const name = file.path.split('/').at(-1) ?? ''
    const checksumUrl = `${base}/${file.checksumPath}`
    const sha256 = findChecksum(await downloadText(checksumUrl, options), name)
    if (!sha256) {
      throw new HoldfastError('checksum-mismatch', `${checksumUrl} has no SHA-256 of ${name}.`, {
        remedy: 'Check what the site answers at that address; nothing is used without its checksum.',
      })
    }
    const downloaded = join(options.downloads, sha256)
    await downloadFile(`${base}/${file.path}`, downloaded, sha256, options)
    used.push(downloaded)
    if (file.programs) await takePrograms(downloaded, file.programs, dir)
    else await copyFile(downloaded, join(dir, name))
  }
  for (const name of await readdir(dir)) await chmod(join(dir, name), 0o755)
  for (const file of used) await rm(file, { force: true })
}

async function takePrograms(archive: string, programs: readonly string[], dir: string): Promise<void> {
  const unpacked = join(dir, '.unpacked')
  await mkdir(unpacked)
  await runCommand('tar', ['-xzf', archive, '--no-same-owner', '-C', unpacked], { timeoutMs: 300_000 })
  const found = await readdir(unpacked, { recursive: true, withFileTypes: true })
  for (const name of programs) {
    const entry = found.find((candidate) => candidate.isFile() && candidate.name === name)
    if (!entry) throw new HoldfastError('download-failed', `${archive} does not hold ${name}.`)
    await rename(join(entry.parentPath, name), join(dir, name))
  }
  await rm(unpacked, { recursive: true })
}

/** Finds a file's SHA-256 in a published checksum file, in either of the usual forms. */
export function findChecksum(text: string, name: string): string | undefined {
  const lines = text.split('\n').map((line) => line.trim().split(/\s+/))
  const named = lines.find(([, file]) => file?.replace(/^[*]/, '').split('/').at(-1) === name)
  const bare = lines.find((line) => line.length === 1 && line[0] !== '')
  const sha256 = (named ?? bare)?.[0]?.toLowerCase()
  return sha256 && /^[0-9a-f]{64}$/.test(sha256) ? sha256 : undefined
}
