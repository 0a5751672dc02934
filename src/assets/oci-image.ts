import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { sha256OfText } from './manifest.ts'
import { type TarEntry, tarSize, textEntry, writeTar } from './tar.ts'
import { architecture } from './versions.ts'

/** An image of one layer. */
export interface ImageContent {
  /** Full name with tag: `registry.k8s.io/pause:3.10.2`. */
  readonly reference: string
  /** Members of the layer, parents first. */
  readonly layer: readonly TarEntry[]
  readonly entrypoint?: readonly string[]
  readonly user?: string
}

const imagePath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * Writes the image as an OCI image layout in a tar, as `ctr images import` reads it. The same
 * content gives the same bytes. The layer is not compressed: it is unpacked once, on this host.
 * Format: https://github.com/opencontainers/image-spec/blob/main/image-layout.md
 */
export async function writeImage(image: ImageContent, file: string): Promise<void> {
  const layerSha256 = await sha256OfStream(writeTar(image.layer))
  const layerSize = tarSize(image.layer)
  const config = JSON.stringify({
    created: '1970-01-01T00:00:00Z',
    architecture: architecture(),
    os: 'linux',
    config: {
      Env: [`PATH=${imagePath}`],
      ...(image.entrypoint ? { Entrypoint: image.entrypoint } : {}),
      ...(image.user ? { User: image.user } : {}),
      WorkingDir: '/',
    },
    rootfs: { type: 'layers', diff_ids: [`sha256:${layerSha256}`] },
    history: [{ created: '1970-01-01T00:00:00Z', created_by: 'holdfast' }],
  })
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: descriptor('application/vnd.oci.image.config.v1+json', config),
    layers: [
      {
        mediaType: 'application/vnd.oci.image.layer.v1.tar',
        digest: `sha256:${layerSha256}`,
        size: layerSize,
      },
    ],
  })
  const index = JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [
      {
        ...descriptor('application/vnd.oci.image.manifest.v1+json', manifest),
        platform: { architecture: architecture(), os: 'linux' },
        annotations: {
          'io.containerd.image.name': image.reference,
          'org.opencontainers.image.ref.name': image.reference.split(':').at(-1),
        },
      },
    ],
  })
  const blob = (content: string) => textEntry(`blobs/sha256/${sha256OfText(content)}`, content)
  const members: TarEntry[] = [
    textEntry('oci-layout', '{"imageLayoutVersion":"1.0.0"}'),
    textEntry('index.json', index),
    { kind: 'directory', path: 'blobs' },
    { kind: 'directory', path: 'blobs/sha256' },
    blob(manifest),
    blob(config),
    {
      kind: 'file',
      path: `blobs/sha256/${layerSha256}`,
      size: layerSize,
      chunks: () => writeTar(image.layer),
    },
  ]
  await pipeline(Readable.from(writeTar(members), { objectMode: false }), createWriteStream(file))
}

const descriptor = (mediaType: string, content: string) => ({
  mediaType,
  digest: `sha256:${sha256OfText(content)}`,
  size: Buffer.byteLength(content),
})

async function sha256OfStream(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of chunks) hash.update(chunk)
  return hash.digest('hex')
}
