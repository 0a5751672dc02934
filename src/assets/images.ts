import { join } from 'node:path'
import { runCommand } from './command.ts'
import { type ImageContent, writeImage } from './oci-image.ts'
import { fileEntry, type TarEntry } from './tar.ts'
import type { ComponentVersions } from './versions.ts'

const registry = 'registry.k8s.io'

/** References of the images a machine has from its first moment, named as kubeadm expects them. */
export const imageReferences = (versions: ComponentVersions): Record<string, string> => ({
  'kube-apiserver': `${registry}/kube-apiserver:v${versions.kubernetes}`,
  'kube-controller-manager': `${registry}/kube-controller-manager:v${versions.kubernetes}`,
  'kube-scheduler': `${registry}/kube-scheduler:v${versions.kubernetes}`,
  'kube-proxy': `${registry}/kube-proxy:v${versions.kubernetes}`,
  etcd: `${registry}/etcd:${versions.etcd}-0`,
  coredns: `${registry}/coredns/coredns:v${versions.coredns}`,
  pause: `${registry}/pause:${versions.pause}`,
})

/** Folders with the binaries that images are put together from. */
export interface ImageSources {
  readonly kubernetes: string
  readonly etcd: string
  readonly coredns: string
  readonly pause: string
  readonly machineRoot: string
}

/** Writes one OCI archive an image into `dir`, `NAME.tar`. */
export async function writeImages(
  versions: ComponentVersions,
  sources: ImageSources,
  dir: string,
): Promise<void> {
  for (const [name, reference] of Object.entries(imageReferences(versions))) {
    await writeImage(await imageContent(name, reference, sources), join(dir, `${name}.tar`))
  }
}

async function imageContent(name: string, reference: string, sources: ImageSources): Promise<ImageContent> {
  switch (name) {
    case 'etcd': {
      const names = ['etcd', 'etcdctl', 'etcdutl']
      const binaries = names.map((binary) => [`usr/local/bin/${binary}`, join(sources.etcd, binary)] as const)
      return { reference, layer: await layerOf(binaries) }
    }
    case 'coredns':
      return {
        reference,
        layer: await layerOf([['coredns', join(sources.coredns, 'coredns')]]),
        entrypoint: ['/coredns'],
      }
    case 'pause':
      return {
        reference,
        layer: await layerOf([['pause', join(sources.pause, 'pause')]]),
        entrypoint: ['/pause'],
        user: '65535:65535',
      }
    case 'kube-proxy': {
      const tools = await withLibraries(sources.machineRoot, ['/usr/sbin/nft', '/usr/sbin/conntrack'])
      const binary = ['usr/local/bin/kube-proxy', join(sources.kubernetes, 'kube-proxy')] as const
      return {
        reference,
        layer: await layerOf([...tools, binary]),
        entrypoint: ['/usr/local/bin/kube-proxy'],
      }
    }
    default:
      return {
        reference,
        layer: await layerOf([[`usr/local/bin/${name}`, join(sources.kubernetes, name)]]),
        entrypoint: [`/usr/local/bin/${name}`],
      }
  }
}

/**
 * Executables at their paths, with the folders above them and an empty /tmp. Root certificates
 * are not needed: no component talks to anything but its own cluster.
 */
export async function layerOf(
  files: readonly (readonly [path: string, source: string])[],
): Promise<TarEntry[]> {
  const directories = new Set<string>(['etc', 'tmp', 'var', 'var/lib'])
  for (const [path] of files) {
    const parts = path.split('/').slice(0, -1)
    for (let depth = 1; depth <= parts.length; depth++) directories.add(parts.slice(0, depth).join('/'))
  }
  const entries: TarEntry[] = [...directories].sort().map((path) => ({
    kind: 'directory',
    path,
    mode: path === 'tmp' ? 0o1777 : 0o755,
  }))
  for (const [path, source] of files) entries.push(await fileEntry(path, source, 0o755))
  return entries
}

/** Programs of the machine root with every library that its own loader finds for them. */
async function withLibraries(root: string, programs: readonly string[]): Promise<[string, string][]> {
  const found = new Map<string, string>()
  for (const program of programs) {
    found.set(program.slice(1), await inside(root, program))
    const listing = await runCommand('chroot', [root, 'ldd', program], { timeoutMs: 10_000 })
    for (const [, library = ''] of listing.matchAll(/(\/\S+) \(0x/g)) {
      found.set(library.slice(1), await inside(root, library))
    }
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1))
}

/** The file behind a path of the root, found inside of it: some of its links are absolute. */
async function inside(root: string, path: string): Promise<string> {
  const real = await runCommand('chroot', [root, 'readlink', '-f', path], { timeoutMs: 10_000 })
  return join(root, real.trim())
}
