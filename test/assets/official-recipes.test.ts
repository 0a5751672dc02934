import { execFileSync } from 'node:child_process'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { publishAsset } from '../../src/assets/cache.ts'
import { assetId, obtain } from '../../src/assets/recipe.ts'
import { assetContext, leafRecipes, obtainLeaves } from '../../src/assets/resolve.ts'
import { architecture, componentVersions } from '../../src/assets/versions.ts'
import { kubernetes } from '../../src/constants.ts'
import type { ProgressEvent } from '../../src/events.ts'
import { scratch } from './scratch.ts'
import { files, serve, sha256 } from './site.ts'

const versions = componentVersions(kubernetes.defaultVersion)
const arch = architecture()
const recipes = leafRecipes(versions)

interface Published {
  /** Where the release has it, written out as the projects do. */
  path: string
  checksumPath: string
  /** Of the archive, and what else is in it; without them the file is the program. */
  programs?: string[]
  others?: string[]
  /** How the checksum file is written. */
  checksum(sha256: string, name: string): string
}

const named = (hash: string, name: string) => `${hash}  ${name}\n`
const github = (repository: string, version: string, file: string) =>
  `/${repository}/releases/download/v${version}/${file}`

function archive(path: string, checksumPath: string, programs: string[], others: string[]): Published {
  return { path, checksumPath, programs, others, checksum: named }
}

const etcd = `etcd-v${versions.etcd}-linux-${arch}`
const containerd = github(
  'containerd/containerd',
  versions.containerd,
  `containerd-static-${versions.containerd}-linux-${arch}.tar.gz`,
)
const coredns = github('coredns/coredns', versions.coredns, `coredns_${versions.coredns}_linux_${arch}.tgz`)
const cni = github(
  'containernetworking/plugins',
  versions.cni,
  `cni-plugins-linux-${arch}-v${versions.cni}.tgz`,
)
const kubernetesPrograms = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-proxy',
  'kube-scheduler',
  'kubeadm',
  'kubectl',
  'kubelet',
]

/** What each project publishes, in the layout of its own archives. */
const published: Record<string, Published[]> = {
  kubernetes: kubernetesPrograms.map((name) => {
    const path = `/release/v${versions.kubernetes}/bin/linux/${arch}/${name}`
    return { path, checksumPath: `${path}.sha256`, checksum: (hash) => hash }
  }),
  etcd: [
    {
      ...archive(
        github('etcd-io/etcd', versions.etcd, `${etcd}.tar.gz`),
        github('etcd-io/etcd', versions.etcd, 'SHA256SUMS'),
        [`${etcd}/etcd`, `${etcd}/etcdctl`, `${etcd}/etcdutl`],
        [`${etcd}/README.md`, `${etcd}/Documentation/README.md`],
      ),
      checksum: (hash, name) => `${sha256('source')}  etcd-v${versions.etcd}.zip\n${named(hash, name)}`,
    },
  ],
  containerd: [
    archive(
      containerd,
      `${containerd}.sha256sum`,
      ['bin/containerd', 'bin/containerd-shim-runc-v2', 'bin/ctr'],
      ['bin/containerd-stress'],
    ),
  ],
  coredns: [archive(coredns, `${coredns}.sha256`, ['coredns'], [])],
  cni: [
    archive(
      cni,
      `${cni}.sha256`,
      ['./bridge', './host-local', './loopback', './portmap', './ptp'],
      ['./LICENSE', './README.md', './macvlan'],
    ),
  ],
}
const names = Object.keys(published) as (keyof typeof recipes)[]

async function contentOf({ path, programs, others }: Published): Promise<Buffer> {
  if (!programs) return Buffer.from(`program ${path.split('/').at(-1)}`)
  const dir = await scratch()
  for (const member of programs) {
    await mkdir(join(dir, dirname(member)), { recursive: true })
    await writeFile(join(dir, member), `program ${member.split('/').at(-1)}`)
  }
  for (const member of others ?? []) {
    await mkdir(join(dir, dirname(member)), { recursive: true })
    await writeFile(join(dir, member), `not asked for: ${member}`)
  }
  const members = [...programs, ...(others ?? [])]
  return execFileSync('tar', ['-czf', '-', '-C', dir, ...members])
}

/** Both official sites in one; of the assets that are named the file is another than its checksum says. */
async function site(wrong: readonly string[] = []): Promise<{ base: string; seen: string[] }> {
  const contents: Record<string, string | Buffer> = {}
  for (const [name, all] of Object.entries(published)) {
    for (const [index, one] of all.entries()) {
      const content = await contentOf(one)
      const altered = wrong.includes(name) && index === all.length - 1
      contents[one.path] = altered ? Buffer.concat([content, Buffer.from('!')]) : content
      contents[one.checksumPath] = one.checksum(sha256(content), one.path.split('/').at(-1) ?? '')
    }
  }
  const seen: string[] = []
  return { base: await serve(files(contents, seen)), seen }
}

/** A host with neither compilers nor Go, so that nothing can be built instead. */
async function contextFor(base: string, events: ProgressEvent[] = []) {
  const cache = await scratch()
  const context = await assetContext({
    kubernetesVersion: versions.kubernetes,
    cache,
    report: (event) => events.push(event),
    env: { PATH: await scratch() },
    sites: { kubernetes: base, github: base },
  })
  return { cache, context }
}

test('everything that is released anywhere is taken from there, and no more than that', async () => {
  const { base, seen } = await site()
  const { cache, context } = await contextFor(base)
  // These two have no release.
  for (const name of ['machine-root', 'pause'] as const)
    await publishAsset(cache, assetId(recipes[name]), async () => 'built')

  const leaves = await obtainLeaves(versions, context)

  for (const name of names) {
    const { source, dir } = leaves[name]
    const programs = published[name]?.flatMap((one) => one.programs ?? [one.path]) ?? []
    const wanted = programs.map((path) => path.split('/').at(-1) ?? '').sort()
    expect(source, name).toBe('official')
    expect((await readdir(dir)).sort(), name).toEqual(wanted)
    for (const program of wanted) {
      expect(await readFile(join(dir, program), 'utf8')).toBe(`program ${program}`)
      execFileSync('test', ['-x', join(dir, program)])
    }
  }
  const expected = Object.values(published).flatMap((all) =>
    all.flatMap((one) => [one.checksumPath, one.path]),
  )
  // Two are for the question whether the sites are there.
  expect(seen.slice(2).sort()).toEqual(expected.sort())
})

test.each(names)(
  'a file of %s that is not what was published is refused, and nothing of it is kept',
  async (name) => {
    const { base } = await site([name])
    const events: ProgressEvent[] = []
    const { cache, context } = await contextFor(base, events)

    const obtaining = obtain(recipes[name], context)

    const file = published[name]?.at(-1)?.path
    await expect(obtaining).rejects.toMatchObject({
      code: 'checksum-mismatch',
      message: expect.stringContaining(`${base}${file}`),
    })
    expect(await readdir(join(cache, 'assets', name))).toEqual([])
    expect(events.filter((event) => event.type === 'warning')).toEqual([])
  },
)
