import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdtemp, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib'
import { z } from 'zod'
import { HoldfastError, isErrno, messageOf } from '../errors.ts'
import type { Asset, AssetId } from './cache.ts'
import { runCommand } from './command.ts'
import { describeTree, formatManifest, sha256OfFile, sha256OfText } from './manifest.ts'
import { fileEntry, textEntry, writeTar } from './tar.ts'
import { readTarIndex, type TarPlace } from './tar-index.ts'

/** A file made by `writeBundle`, opened for reading. */
export interface Bundle {
  readonly file: string
  readonly kubernetesVersion: string
  readonly assets: readonly BundledAsset[]
  /**
   * Puts an asset's files into the empty folder `dir`, every one checked; false where the bundle
   * does not hold it. Throws `bundle-damaged`.
   */
  extract(id: AssetId, dir: string): Promise<boolean>
  /** Reads all of it and compares every SHA-256; throws `bundle-damaged`. */
  verify(): Promise<void>
}

const contentsSchema = z.object({
  format: z.literal(1),
  arch: z.string(),
  kubernetesVersion: z.string(),
  assets: z.array(
    z.object({
      name: z.string(),
      version: z.string(),
      key: z.string(),
      /** Of the asset's manifest, which holds the SHA-256 of each of its files. */
      sha256: z.string(),
      /** Of the archive within the bundle. */
      archiveSha256: z.string(),
    }),
  ),
})

export type BundledAsset = z.infer<typeof contentsSchema>['assets'][number]

const contentsName = 'holdfast-bundle.json'
const archiveName = (asset: { name: string }): string => `${asset.name}.tar.zst`

/** Writes the assets into one file; a file of that name is replaced only once the new one is whole. */
export async function writeBundle(
  file: string,
  kubernetesVersion: string,
  assets: readonly Asset[],
  progress: (detail: string) => void,
): Promise<Bundle> {
  const work = await mkdtemp(join(dirname(file), '.holdfast-bundle-'))
  try {
    const bundled: BundledAsset[] = []
    for (const asset of assets) {
      progress(`packing ${asset.name} ${asset.version}`)
      const archive = join(work, archiveName(asset))
      await pack(asset.dir, archive)
      const { name, version, key, sha256 } = asset
      bundled.push({ name, version, key, sha256, archiveSha256: await sha256OfFile(archive) })
    }
    const contents = { format: 1, arch: process.arch, kubernetesVersion, assets: bundled }
    const members = [textEntry(contentsName, `${JSON.stringify(contents, undefined, 1)}\n`)]
    for (const asset of bundled) {
      members.push(await fileEntry(archiveName(asset), join(work, archiveName(asset))))
    }
    progress('writing')
    const whole = join(work, 'bundle')
    await pipeline(Readable.from(writeTar(members), { objectMode: false }), createWriteStream(whole))
    progress('reading it back')
    await (await openBundle(whole)).verify()
    await runCommand('sync', ['-f', whole], { timeoutMs: 300_000 })
    await rename(whole, file)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  return openBundle(file)
}

/** Opens a bundle; throws `bundle-unreadable` for anything that is not one for this processor. */
export async function openBundle(file: string): Promise<Bundle> {
  const remedy = 'Name a file made by `holdfast assets bundle` on a machine with the same processor.'
  const refuse = (reason: string, cause?: unknown) =>
    new HoldfastError('bundle-unreadable', `${file} cannot be used as a bundle: ${reason}`, {
      remedy,
      cause,
      exitCode: 2,
    })
  const index = await readTarIndex(file).catch((error) => {
    throw refuse(messageOf(error), error)
  })
  const place = index.get(contentsName)
  if (!place) throw refuse(`it holds no ${contentsName}`)
  let contents: z.infer<typeof contentsSchema>
  try {
    contents = contentsSchema.parse(JSON.parse(await readPlace(file, place)))
  } catch (error) {
    throw refuse(`its ${contentsName} is not understood`, error)
  }
  if (contents.arch !== process.arch) throw refuse(`it is for ${contents.arch}, this host is ${process.arch}`)

  const streamOf = (asset: BundledAsset): Readable => {
    const found = index.get(archiveName(asset))
    if (!found) throw damaged(file, `${archiveName(asset)} is missing`)
    return createReadStream(file, { start: found.offset, end: found.offset + found.size - 1 })
  }
  return {
    file,
    kubernetesVersion: contents.kubernetesVersion,
    assets: contents.assets,
    extract: async (id, dir) => {
      const asset = contents.assets.find(
        (candidate) => candidate.name === id.name && candidate.key === id.key,
      )
      if (!asset) return false
      try {
        if ((await sha256Of(streamOf(asset))) !== asset.archiveSha256) throw new Error('its SHA-256 differs')
        await unpack(streamOf(asset), dir)
      } catch (error) {
        throw damaged(file, `${archiveName(asset)}: ${messageOf(error)}`)
      }
      const manifest = formatManifest(await describeTree(dir))
      if (sha256OfText(manifest) !== asset.sha256) throw damaged(file, `the files of ${asset.name} differ`)
      return true
    },
    verify: async () => {
      for (const asset of contents.assets) {
        if ((await sha256Of(streamOf(asset))) !== asset.archiveSha256)
          throw damaged(file, `${archiveName(asset)} differs`)
      }
    },
  }
}

const damaged = (file: string, what: string): HoldfastError =>
  new HoldfastError('bundle-damaged', `${file} is damaged: ${what}.`, {
    remedy: 'Copy the bundle again, and compare its SHA-256 with the one of the machine that made it.',
  })

const readPlace = async (file: string, { offset, size }: TarPlace): Promise<string> => {
  const chunks: Buffer[] = []
  const stream = createReadStream(file, { start: offset, end: offset + size - 1 })
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

async function pack(dir: string, archive: string): Promise<void> {
  const args = ['--sort=name', '--numeric-owner', '--xattrs', '-C', dir, '-cf', '-', '.']
  const tar = spawn('tar', args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = endOf(tar)
  const compress = createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 3 } })
  await Promise.all([pipeline(tar.stdout, compress, createWriteStream(archive, { mode: 0o600 })), ended])
}

async function sha256Of(source: Readable): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of source) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

async function unpack(source: Readable, dir: string): Promise<void> {
  const args = ['--numeric-owner', '--same-owner', '-p', '--xattrs', '-C', dir, '-xf', '-']
  const tar = spawn('tar', args, { stdio: ['pipe', 'ignore', 'pipe'] })
  const ended = endOf(tar)
  const feeding = pipeline(source, createZstdDecompress(), tar.stdin).catch((error: unknown) => ({ error }))
  const [fed] = await Promise.all([feeding, ended])
  // tar may end, all well, while its input is just being closed.
  if (fed && !isErrno(fed.error, 'ERR_STREAM_PREMATURE_CLOSE', 'EPIPE')) throw fed.error
}

async function endOf(child: ReturnType<typeof spawn>): Promise<void> {
  let written = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    written = (written + text).slice(-1000)
  })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`tar failed (${code}): ${written.trim()}`)
}
