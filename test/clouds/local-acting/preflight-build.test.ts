import { mkdir } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { preflight } from '../../../src/clouds/local/preflight.ts'
import type { HostFacts } from '../../../src/clouds/local/preflight-rules.ts'
import { resolveHome } from '../../../src/home.ts'
import { fillCache, fillLeaves } from '../../assets/filled-cache.ts'
import { scratch } from '../../assets/scratch.ts'
import { gib, goodHost, noSites } from './good-host.ts'

const noGo = { go: undefined }

async function openHome() {
  const dir = await scratch()
  return resolveHome({ HOLDFAST_HOME: join(dir, 'home'), HOLDFAST_CACHE: join(dir, 'cache') })
}

/** A site that answers, and counts how often it was asked. */
async function openSite() {
  let asked = 0
  const server = createServer((_, response) => {
    asked++
    response.end('v1')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked: () => asked }
}

async function found(home: Awaited<ReturnType<typeof openHome>>, facts: Partial<HostFacts>, sites = noSites) {
  const wanted = { machines: 4, running: 0, volumesGib: 12 }
  const probes = { hostFacts: async () => ({ ...goodHost, ...facts }), sites }
  return (await preflight(home, '1.36.3', wanted, probes)).map(({ severity, path }) => `${severity} ${path}`)
}

test('without Go and without official releases in reach there is nothing to make machines from', async () => {
  expect(await found(await openHome(), noGo)).toEqual(['error host.go'])
})

test('with them Go is not needed, nor its disk', async () => {
  const { url } = await openSite()
  const home = await openHome()
  const disk = goodHost.disk.map((entry) => (entry.device === 3 ? { ...entry, free: gib } : entry))

  expect(await found(home, { ...noGo, disk }, { kubernetes: url, github: url })).toEqual([])
  expect(await found(home, { ...noGo, disk })).toEqual(['error host.disk', 'error host.go'])
})

test('nobody is asked where Go can do it, nor where nothing is to be built', async () => {
  const { url, asked } = await openSite()
  const sites = { kubernetes: url, github: url }
  const home = await openHome()

  expect(await found(home, {}, sites)).toEqual([])
  await fillLeaves(home.cache)
  expect(await found(home, noGo, sites)).toEqual([])

  expect(asked()).toBe(0)
})

test('assets of other recipes are not taken for those that are wanted', async () => {
  const home = await openHome()
  const template = join(home.cache, 'assets', 'containerd-template', '1.36.3-0123456789ab')
  await mkdir(join(template, 'files'), { recursive: true })

  expect(await found(home, noGo)).toEqual(['error host.go'])
})

test('only the sites that have what is missing count', async () => {
  const { url } = await openSite()
  const home = await openHome()
  await fillLeaves(home.cache, ['etcd'])

  expect(await found(home, noGo, { ...noSites, github: url })).toEqual([])
  expect(await found(home, noGo, { ...noSites, kubernetes: url })).toEqual(['error host.go'])
})

test('the cache needs room until everything is in it, what is made from other assets included', async () => {
  const home = await openHome()
  const disk = goodHost.disk.map((entry) => (entry.what === 'cache' ? { ...entry, free: gib } : entry))

  await fillLeaves(home.cache)
  expect(await found(home, { disk })).toEqual(['error host.disk.cache'])
  await fillCache(home.cache)
  expect(await found(home, { disk })).toEqual([])
})

test('a version that nothing is there for does not hide what else is in the way', async () => {
  const probes = { hostFacts: async () => ({ ...goodHost, root: false }), sites: noSites }
  const wanted = { machines: 4, running: 0, volumesGib: 12 }

  const problems = await preflight(await openHome(), '1.20.0', wanted, probes)

  expect(problems.map(({ path }) => path)).toEqual(['host.user'])
})
