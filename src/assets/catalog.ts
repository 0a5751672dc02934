import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { link, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Asset } from './cache.ts'
import { runCommand } from './command.ts'
import { prepareTemplate } from './containerd-template.ts'
import { type GoBuild, goBuild, goIngredients, modulesDir } from './go-build.ts'
import { imageReferences, layerOf, writeImages } from './images.ts'
import { writeImage } from './oci-image.ts'
import { githubRelease, kubernetesRelease, type Release } from './official.ts'
import type { Recipe } from './recipe.ts'
import type { ComponentVersions } from './versions.ts'

/** The assets that another one is made from, by name. */
export type Made = Readonly<Record<string, Asset>>

const goRecipe = (
  name: string,
  title: string,
  version: string,
  build: GoBuild,
  release: Release,
): Recipe => ({
  name,
  version,
  title: `${title} ${version}`,
  ingredients: goIngredients(build),
  release,
  build: (dir, making) => goBuild(build, dir, making),
})

/** kubeadm judges versions by these: without them it takes itself for v0.0.0. */
function kubernetesVariables(version: string): Record<string, string> {
  const [major = '', minor = ''] = version.split('.')
  const values = {
    gitVersion: `v${version}`,
    gitMajor: major,
    gitMinor: minor,
    gitTreeState: 'clean',
    gitCommit: '0'.repeat(40),
    buildDate: '1970-01-01T00:00:00Z',
  }
  const packages = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version']
  return Object.fromEntries(
    packages.flatMap((path) => Object.entries(values).map(([name, value]) => [`${path}.${name}`, value])),
  )
}

export const kubernetesBinaries = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubelet',
  'kubeadm',
  'kube-proxy',
  'kubectl',
] as const

export const kubernetesRecipe = (versions: ComponentVersions): Recipe =>
  goRecipe(
    'kubernetes',
    'Kubernetes',
    versions.kubernetes,
    {
      module: 'kubernetes',
      packages: kubernetesBinaries.map((name) => `k8s.io/kubernetes/cmd/${name}`),
      variables: kubernetesVariables(versions.kubernetes),
    },
    kubernetesRelease(versions.kubernetes, kubernetesBinaries),
  )

const etcdBinaries = ['etcd', 'etcdctl', 'etcdutl'] as const

export const etcdRecipe = ({ etcd: version }: ComponentVersions): Recipe =>
  goRecipe(
    'etcd',
    'etcd',
    version,
    {
      module: 'etcd',
      packages: ['server', 'etcdctl', 'etcdutl'].map((name) => `go.etcd.io/etcd/${name}/v3`),
      renames: { server: 'etcd' },
    },
    githubRelease('etcd-io/etcd', version, `etcd-v${version}-linux-ARCH.tar.gz`, 'SHA256SUMS', etcdBinaries),
  )

const containerdBinaries = ['containerd', 'containerd-shim-runc-v2', 'ctr'] as const

export const containerdRecipe = ({ containerd: version }: ComponentVersions): Recipe => {
  const path = 'github.com/containerd/containerd/v2'
  const archive = `containerd-static-${version}-linux-ARCH.tar.gz`
  return goRecipe(
    'containerd',
    'containerd',
    version,
    {
      module: 'containerd',
      packages: containerdBinaries.map((name) => `${path}/cmd/${name}`),
      tags: ['no_btrfs', 'no_devmapper', 'no_zfs'],
      variables: { [`${path}/version.Version`]: `v${version}`, [`${path}/version.Revision`]: '' },
    },
    githubRelease('containerd/containerd', version, archive, `${archive}.sha256sum`, containerdBinaries),
  )
}

export const corednsRecipe = ({ coredns: version }: ComponentVersions): Recipe => {
  const archive = `coredns_${version}_linux_ARCH.tgz`
  return goRecipe(
    'coredns',
    'CoreDNS',
    version,
    {
      module: 'coredns',
      packages: ['github.com/coredns/coredns'],
      variables: { 'github.com/coredns/coredns/coremain.GitCommit': '' },
    },
    githubRelease('coredns/coredns', version, archive, `${archive}.sha256`, ['coredns']),
  )
}

export const cniRecipe = ({ cni: version }: ComponentVersions): Recipe => {
  const path = 'github.com/containernetworking/plugins'
  const plugins = ['ipam/host-local', 'main/bridge', 'main/loopback', 'main/ptp', 'meta/portmap']
  const names = plugins.map((plugin) => plugin.split('/')[1] ?? '')
  const archive = `cni-plugins-linux-ARCH-v${version}.tgz`
  return goRecipe(
    'cni',
    'CNI plugins',
    version,
    {
      module: 'cni',
      packages: plugins.map((name) => `${path}/plugins/${name}`),
      variables: { [`${path}/pkg/utils/buildversion.BuildVersion`]: `v${version}` },
    },
    githubRelease('containernetworking/plugins', version, archive, `${archive}.sha256`, names),
  )
}

/** Kubernetes' own pause.c, as its build/pause/linux has it. */
export const pauseRecipe = (versions: ComponentVersions): Recipe => {
  const source = join(modulesDir, 'pause', 'pause.c')
  const flags = ['-Os', '-Wall', '-Werror', '-static', `-DVERSION=v${versions.pause}`]
  return {
    name: 'pause',
    version: versions.pause,
    title: `pause ${versions.pause}`,
    ingredients: [...flags, createHash('sha256').update(readFileSync(source)).digest('hex')],
    build: async (dir, { stop }) => {
      const out = join(dir, 'pause')
      await runCommand('gcc', [...flags, '-o', out, source], {
        timeoutMs: 60_000,
        stop,
        remedy: 'Install gcc and libc6-dev.',
      })
      await runCommand('strip', [out], { timeoutMs: 60_000, stop, remedy: 'Install binutils.' })
    },
  }
}

export const probeReference = 'holdfast.dev/probe:1'

/** A program of our own that tests and drills deploy, as an archive for `load image`. */
export const probeRecipe = (): Recipe => {
  const build: GoBuild = { module: 'probe', packages: ['.'] }
  return {
    name: 'probe',
    version: '1',
    title: 'Probe image',
    ingredients: [...goIngredients(build, ['main.go']), probeReference],
    build: async (dir, making) => {
      await goBuild(build, dir, making)
      const binary = join(dir, 'probe')
      const image = { reference: probeReference, layer: await layerOf([['probe', binary]]) }
      await writeImage({ ...image, entrypoint: ['/probe'] }, join(dir, 'probe.tar'))
      await rm(binary)
    },
  }
}

const inputs = (...made: readonly (Asset | undefined)[]): string[] =>
  made.map((asset) => `${asset?.name} ${asset?.sha256}`)

/** The image archives; `made` holds the assets of the recipes above. */
export const imagesRecipe = (versions: ComponentVersions, made: Made): Recipe => {
  const sources = ['kubernetes', 'etcd', 'coredns', 'pause', 'machine-root'] as const
  const dirs = sources.map((name) => made[name]?.dir ?? '')
  const [kubernetes = '', etcd = '', coredns = '', pause = '', machineRoot = ''] = dirs
  return {
    name: 'images',
    version: versions.kubernetes,
    title: 'Images',
    derived: true,
    ingredients: [
      'layout 1',
      JSON.stringify(imageReferences(versions)),
      ...inputs(...sources.map((name) => made[name])),
    ],
    build: (dir) => writeImages(versions, { kubernetes, etcd, coredns, pause, machineRoot }, dir),
  }
}

/** Every program that a machine runs outside of containers, in one folder. */
export const binRecipe = (versions: ComponentVersions, made: Made): Recipe => ({
  name: 'bin',
  version: versions.kubernetes,
  title: 'Programs of the machines',
  derived: true,
  ingredients: inputs(made.kubernetes, made.containerd, made.etcd),
  build: async (dir) => {
    const programs: Record<string, readonly string[]> = {
      kubernetes: ['kubelet', 'kubeadm', 'kubectl'],
      containerd: containerdBinaries,
      etcd: etcdBinaries,
    }
    for (const [name, files] of Object.entries(programs)) {
      for (const file of files) await link(join(made[name]?.dir ?? '', file), join(dir, file))
    }
  },
})

/** /var/lib/containerd with every image in it. */
export const templateRecipe = (versions: ComponentVersions, images: Asset, bin: Asset): Recipe => ({
  name: 'containerd-template',
  version: versions.kubernetes,
  title: 'Images imported',
  derived: true,
  linked: true,
  ingredients: ['template 2', ...inputs(images), `containerd ${versions.containerd}`],
  build: (dir, making) => prepareTemplate({ binDir: bin.dir, imagesDir: images.dir }, dir, making),
})
