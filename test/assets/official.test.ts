import { execFileSync } from 'node:child_process'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { downloadFile } from '../../src/assets/download.ts'
import {
  fetchRelease,
  findChecksum,
  githubRelease,
  kubernetesRelease,
  reachableSites,
} from '../../src/assets/official.ts'
import { obtain } from '../../src/assets/recipe.ts'
import { architecture } from '../../src/assets/versions.ts'
import type { ProgressEvent } from '../../src/events.ts'
import { scratch } from './scratch.ts'
import { files, serve, sha256 } from './site.ts'

const env: NodeJS.ProcessEnv = {}

const kubelet = `/release/v1.36.3/bin/linux/${architecture()}/kubelet`

test('Kubernetes’ programs are taken from where they are published, executable', async () => {
  const base = await serve(files({ [kubelet]: 'the kubelet', [`${kubelet}.sha256`]: sha256('the kubelet') }))
  const [dir, downloads] = [await scratch(), await scratch()]

  await fetchRelease(kubernetesRelease('1.36.3', ['kubelet']), base, dir, { env, downloads })

  expect(await readFile(join(dir, 'kubelet'), 'utf8')).toBe('the kubelet')
  execFileSync('test', ['-x', join(dir, 'kubelet')])
  expect(await readdir(downloads)).toEqual([])
})

test('a program that is not what was published is refused, never kept and never built around', async () => {
  const base = await serve(
    files({ [kubelet]: 'something else', [`${kubelet}.sha256`]: sha256('the kubelet') }),
  )
  const cache = await scratch()
  let built = false

  const obtaining = obtain(
    {
      name: 'kubernetes',
      version: '1.36.3',
      title: 'Kubernetes',
      ingredients: [],
      release: kubernetesRelease('1.36.3', ['kubelet']),
      build: async () => {
        built = true
      },
    },
    { cache, env, report: () => {}, sites: async () => ({ kubernetes: base }) },
  )

  await expect(obtaining).rejects.toMatchObject({
    code: 'checksum-mismatch',
    message: expect.stringContaining(sha256('the kubelet')),
  })
  expect(built).toBe(false)
  expect(await readdir(join(cache, 'downloads'))).toEqual([])
  expect(await readdir(join(cache, 'assets', 'kubernetes'))).toEqual([])
})

test('a file without its published checksum is refused', async () => {
  const base = await serve(files({ [kubelet]: 'the kubelet', [`${kubelet}.sha256`]: '<html>sign in</html>' }))

  const fetching = fetchRelease(kubernetesRelease('1.36.3', ['kubelet']), base, await scratch(), {
    env,
    downloads: await scratch(),
  })

  await expect(fetching).rejects.toMatchObject({ code: 'checksum-mismatch' })
})

test('a release archive of GitHub is found behind its redirect, and only the wanted programs are taken', async () => {
  const dir = await scratch()
  await mkdir(join(dir, 'etcd-v3.6.8'))
  for (const name of ['etcd', 'etcdctl', 'README.md']) await writeFile(join(dir, 'etcd-v3.6.8', name), name)
  execFileSync('tar', ['-czf', join(dir, 'a.tgz'), '-C', dir, 'etcd-v3.6.8'])
  const archive = await readFile(join(dir, 'a.tgz'))
  const name = `etcd-v3.6.8-linux-${architecture()}.tar.gz`
  const path = '/etcd-io/etcd/releases/download/v3.6.8'
  const sums = `${sha256('x')}  etcd-v3.6.8-other.zip\n${sha256(archive)}  ${name}\n`
  const storage = await serve(files({ '/blob': archive }))
  const base = await serve((request, response) => {
    if (request.url === `${path}/${name}`) response.writeHead(302, { location: `${storage}/blob` }).end()
    else files({ [`${path}/SHA256SUMS`]: sums })(request, response)
  })
  const out = await scratch()

  const release = githubRelease('etcd-io/etcd', '3.6.8', 'etcd-v3.6.8-linux-ARCH.tar.gz', 'SHA256SUMS', [
    'etcd',
    'etcdctl',
  ])
  await fetchRelease(release, base, out, { env, downloads: await scratch() })

  expect((await readdir(out)).sort()).toEqual(['etcd', 'etcdctl'])
  expect(await readFile(join(out, 'etcdctl'), 'utf8')).toBe('etcdctl')
})

test('a broken download goes on where it was', async () => {
  const content = Buffer.from('0123456789'.repeat(10_000))
  const ranges: (string | undefined)[] = []
  const base = await serve((request: IncomingMessage, response) => {
    ranges.push(request.headers.range)
    const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0)
    response.writeHead(start ? 206 : 200, { 'content-length': content.length - start })
    if (ranges.length > 1) response.end(content.subarray(start))
    else response.write(content.subarray(0, 40_000), () => setTimeout(() => response.destroy(), 50))
  })
  const file = join(await scratch(), 'file')

  await downloadFile(`${base}/file`, file, sha256(content), { env })

  expect(ranges).toEqual([undefined, 'bytes=40000-'])
  expect(sha256(await readFile(file))).toBe(sha256(content))
})

test('what cannot be downloaded is built instead, and the user is told', async () => {
  const base = await serve(files({}))
  const events: ProgressEvent[] = []

  const asset = await obtain(
    {
      name: 'kubernetes',
      version: '1.36.3',
      title: 'Kubernetes 1.36.3',
      ingredients: [],
      release: kubernetesRelease('1.36.3', ['kubelet']),
      build: (dir) => writeFile(join(dir, 'kubelet'), 'built here'),
    },
    {
      cache: await scratch(),
      env,
      report: (event) => events.push(event),
      sites: async () => ({ kubernetes: base }),
    },
  )

  expect(asset.source).toBe('built')
  expect(events).toContainEqual({ type: 'warning', message: expect.stringContaining('answered 404') })
})

test('a site that does not answer in time is passed over; one that answers is used', async () => {
  const silent = await serve(() => {})
  const alive = await serve((_, response) => response.writeHead(200).end())
  const started = Date.now()

  const sites = await reachableSites({ kubernetes: silent, github: alive }, env, 200)

  expect(sites).toEqual({ github: alive })
  expect(Date.now() - started).toBeLessThan(2000)
})

test('a proxy is used unless the host is excepted', async () => {
  const seen: string[] = []
  const proxy = await serve(files({ 'http://release.example/release/stable.txt': 'v1' }, seen))
  const direct = await serve((_, response) => response.writeHead(200).end())
  const sites = { kubernetes: 'http://release.example', github: direct }

  const reached = await reachableSites(sites, { HTTP_PROXY: proxy, NO_PROXY: '127.0.0.1' }, 2000)

  expect(reached).toEqual(sites)
  expect(seen).toEqual(['http://release.example/release/stable.txt'])
})

test.for([
  ['bare', `${'a'.repeat(64)}\n`, 'a'.repeat(64)],
  ['with a name', `${'A'.repeat(64)}  file.tgz`, 'a'.repeat(64)],
  ['binary form with a folder', `${'b'.repeat(64)} *./dist/file.tgz\n`, 'b'.repeat(64)],
  ['another file’s', `${'c'.repeat(64)}  other.tgz\n`, undefined],
  ['too short', 'abc', undefined],
  ['empty', '', undefined],
] as const)('a checksum file: %s', ([, text, expected]) => {
  expect(findChecksum(text, 'file.tgz')).toBe(expected)
})
