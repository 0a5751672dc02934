import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Machine } from '../../../src/clouds/cloud.ts'
import { hostFacts, parseOsRelease, preflight } from '../../../src/clouds/local/preflight.ts'
import {
  type HostFacts,
  preflightProblems,
  type Wanted,
  wantedBy,
} from '../../../src/clouds/local/preflight-rules.ts'
import { kubernetes, leastGo } from '../../../src/constants.ts'
import { resolveHome } from '../../../src/home.ts'
import { scratch } from '../../assets/scratch.ts'
import { declare } from '../../operations/support.ts'
import { gib, goodHost as good, noSites, usual as wanted } from './good-host.ts'

const none = { machines: 0, running: 0, volumesGib: 0 }
const { defaultVersion } = kubernetes
const lines = (facts: Partial<HostFacts>, changes: Partial<Wanted> = {}) =>
  preflightProblems({ ...good, ...facts }, { ...wanted, ...changes }).map(
    ({ severity, path, message }) => `${severity} ${path}: ${message}`,
  )

describe('preflight', () => {
  test('a good host has no problem', () => {
    expect(lines({})).toEqual([])
  })

  const cases: [
    name: string,
    facts: Partial<HostFacts>,
    changes: Partial<Wanted>,
    expected: RegExp | undefined,
  ][] = [
    ['not root', { root: false, overlay: { works: false }, links: [] }, {}, /^error host.user: .*root/],
    [
      'a processor we have nothing for',
      { architecture: 'riscv64' },
      {},
      /^error host.architecture: .*riscv64/,
    ],
    [
      'another distribution',
      { distribution: { id: 'arch', like: [], version: '' } },
      {},
      /^warning host.distribution: arch/,
    ],
    [
      'a child of Debian',
      { distribution: { id: 'mint', like: ['ubuntu', 'debian'], version: '' } },
      {},
      undefined,
    ],
    [
      'too little memory',
      { memory: { total: 2 * gib, available: gib } },
      {},
      /^error host.memory: 4 machines need 3.0 GiB of memory, this host has 2.0 GiB/,
    ],
    [
      'little memory at the moment',
      { memory: { total: 8 * gib, available: gib } },
      {},
      /^warning host.memory: .*1.0 GiB is available now/,
    ],
    ['one machine only', { memory: { total: 2 * gib, available: gib } }, { machines: 1 }, undefined],
    [
      'missing tools that apt brings',
      { missingTools: [{ tool: 'nft', package: 'nftables', reason: 'lets through' }] },
      {},
      undefined,
    ],
    [
      'missing tools without apt',
      { hasApt: false, missingTools: [{ tool: 'nft', package: 'nftables', reason: 'lets through' }] },
      {},
      /^error host.tools: nft is missing/,
    ],
    [
      'little memory, taken by machines that run already',
      { memory: { total: 8 * gib, available: gib } },
      { running: 3 },
      undefined,
    ],
    [
      'little memory for more machines',
      { memory: { total: 8 * gib, available: gib } },
      { running: 2 },
      /^warning host.memory: 2 more machines need 1.5 GiB of memory, 1.0 GiB is available now/,
    ],
    [
      'a Go that is too old',
      { go: { version: 'go1.19.8', toolchain: '' } },
      {},
      /^error host.go: go1.19.8 is older than 1.26, and no official release can be reached/,
    ],
    [
      'an old Go that may not download a newer one',
      { go: { version: 'go1.25.1', toolchain: 'local' } },
      {},
      /^error host.go: go1.25.1 is older than 1.26 and GOTOOLCHAIN=local keeps it/,
    ],
    [
      'an old Go that downloads a newer one',
      { go: { version: 'go1.24.4', toolchain: 'auto' } },
      {},
      undefined,
    ],
    [
      'one that downloads a newer one than it should be',
      { go: { version: 'go1.24.4', toolchain: 'go1.24.4+auto' } },
      {},
      undefined,
    ],
    ['a newer Go', { go: { version: 'go1.30rc1', toolchain: 'local' } }, {}, undefined],
    ['a Go of one’s own', { go: { version: 'devel +abc', toolchain: 'local' } }, {}, undefined],
    ['no Go for a build', { go: undefined }, {}, /^error host.go/],
    ['no Go, no build', { go: undefined }, { build: false }, undefined],
    [
      'no control groups',
      { cgroup: { version: undefined, controllers: [] } },
      {},
      /^error host.cgroup: No control groups/,
    ],
    [
      'no memory controller',
      { cgroup: { version: 2, controllers: ['cpu', 'cpuset', 'pids'] } },
      {},
      /^error host.cgroup: .*controllers memory are missing \(version 2\)/,
    ],
    [
      'version 1 with all',
      {
        cgroup: {
          version: 1,
          controllers: 'rw cpu cpuacct cpuset memory devices freezer blkio pids'.split(' '),
        },
      },
      {},
      undefined,
    ],
    [
      'version 1 without freezer',
      { cgroup: { version: 1, controllers: 'cpu cpuacct cpuset memory devices blkio pids'.split(' ') } },
      {},
      /^error host.cgroup: .*freezer/,
    ],
    ['no loop devices', { loopControl: false }, {}, /^error host.loop/],
    ['no FUSE', { fuse: false }, {}, /^warning host.fuse/],
    [
      'a home on an overlay',
      { overlay: { works: false, reason: 'wrong fs type' } },
      {},
      /^error host.overlay: .*: wrong fs type/,
    ],
    [
      'no VXLAN',
      { links: [{ kind: 'vxlan', works: false, reason: 'Unknown device type.' }] },
      {},
      /^error host.network.vxlan: .*Unknown device type/,
    ],
    [
      'too few inotify instances for ever',
      { inotify: { instances: 128, writable: false } },
      {},
      /^error host.inotify: .*128/,
    ],
    ['enough inotify instances', { inotify: { instances: 8192, writable: false } }, {}, undefined],
  ]
  test.each(cases)('%s', (_name, facts, changes, expected) => {
    const found = lines(facts, changes)

    if (!expected) expect(found).toEqual([])
    else {
      expect(found).toHaveLength(1)
      expect(found[0]).toMatch(expected)
    }
  })

  test('what is wanted of this host is what is declared and not there yet', () => {
    const declaration = declare({ masters: 3, zones: 'a,b,c', workers: 2 })
    const inventory = {
      groups: [],
      machines: ['running', 'starting', 'stopped'].map((state) => ({ state }) as Machine),
      volumes: [{ id: 'v', seat: 'a', etcd: 'main', zone: 'a', sizeGib: 5 } as const],
    }

    expect(wantedBy(declaration, { groups: [], machines: [], volumes: [] })).toEqual({
      machines: 5,
      running: 0,
      volumesGib: 24,
    })
    expect(wantedBy(declaration, inventory)).toEqual({ machines: 5, running: 2, volumesGib: 19 })
  })

  test('every module asks for the Go that is said to be needed, and the pages name it', () => {
    const root = join(import.meta.dirname, '..', '..', '..')
    const modules = join(root, 'assets', 'modules')
    const asked = readdirSync(modules)
      .map((name) => join(modules, name, 'go.mod'))
      .filter((file) => existsSync(file))
      .map((file) => /^go (\S+)$/m.exec(readFileSync(file, 'utf8'))?.[1])

    expect(new Set(asked)).toEqual(new Set([`${leastGo}.0`]))
    for (const page of ['README.md', 'docs/local.md']) {
      expect(readFileSync(join(root, page), 'utf8'), page).toContain(`| Go | ${leastGo} or newer`)
    }
  })

  test('everything is told at once, and each error says what to do', () => {
    const problems = preflightProblems(
      { ...good, loopControl: false, memory: { total: 0, available: 0 }, go: undefined },
      wanted,
    )

    expect(problems.map(({ path }) => path)).toEqual(['host.memory', 'host.go', 'host.loop'])
    for (const problem of problems) expect(problem.remedy).toMatch(/^[A-Z].*\.$/)
  })

  test('os-release with and without quotes', () => {
    expect(parseOsRelease('ID=ubuntu\nID_LIKE="debian"\nVERSION_ID="24.04"\n')).toEqual({
      id: 'ubuntu',
      like: ['debian'],
      version: '24.04',
    })
    expect(parseOsRelease('')).toEqual({ id: '', like: [], version: '' })
  })

  test.runIf(process.getuid?.() === 0)('under sudo, Go may be there and not be found', async () => {
    vi.stubEnv('SUDO_UID', '4000001')
    onTestFinished(() => void vi.unstubAllEnvs())
    const facts = await hostFacts(resolveHome({ HOLDFAST_HOME: await scratch() }))

    const problems = preflightProblems({ ...facts, go: undefined }, wanted)

    const { remedy } = problems.find(({ path }) => path === 'host.go') ?? {}
    expect(remedy).toContain('sudo env "PATH=$PATH"')
  })

  test('looks at this host and leaves nothing in the home', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'hf-preflight-'))
    const home = resolveHome({ HOLDFAST_HOME: folder })

    const look = (machines: number) =>
      preflight(home, defaultVersion, { ...none, machines }, { sites: noSites })

    const problems = await look(1)

    for (const { severity, message } of problems) expect([severity, message]).not.toContain(undefined)
    expect(await readdir(folder)).toEqual([])
    const tooMany = await look(100_000)
    expect(tooMany.map(({ path }) => path)).toContain('host.memory')
    await rm(folder, { recursive: true })
  })
})
