import { chmodSync, globSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { fillCache } from '../assets/filled-cache.ts'
import { goodHost } from '../clouds/local-acting/good-host.ts'
import { type Ran, type TestCli, testCli } from './support.ts'

let cli: TestCli
beforeEach(() => {
  cli = testCli()
})
afterEach(() => cli.remove())

const nobody = 65_534
const isRoot = process.geteuid?.() === 0

/** Runs a command as another user than the one who made everything. */
async function runAsNobody(words: string, first: string): Promise<Ran> {
  // What is loaded on first use is loaded by root: nobody may not read this folder.
  await cli.run(first.split(' '))
  for (const folder of [dirname(cli.cwd), cli.cwd, cli.home]) chmodSync(folder, 0o755)
  process.seteuid?.(nobody)
  try {
    return await cli.run(words.split(' '))
  } finally {
    process.seteuid?.(0)
  }
}

describe.runIf(isRoot)('without sudo, where everything was made with it', () => {
  test.each([
    ['get clusters', 'get clusters'],
    ['get machines try', 'get machines try'],
    ['update cluster try', 'update cluster try'],
    ['up try', 'up try --masters 2'],
    ['delete cluster try', 'delete cluster try'],
  ])('%s says whose it is and what to do', async (words, first) => {
    await cli.run(['create', 'cluster', 'try'])
    const before = cli.snapshot()

    const ran = await runAsNobody(words, first)

    expect(ran.err).toMatch(/^Error: The state store .* belongs to another user: .*permission denied/m)
    expect(ran.err).toMatch(/→ .*run this command with sudo/)
    expect(ran.code).toBe(2)
    expect(cli.snapshot()).toEqual(before)
  })

  test('assets list shows the rest where the files of one are root’s', async () => {
    const cache = join(cli.cwd, 'cache')
    await fillCache(cache)
    const [template = ''] = globSync(join(cache, 'assets', 'containerd-template', '*', 'files'))
    chmodSync(template, 0o700)

    const { code, out, err } = await runAsNobody('assets list', 'assets list')

    expect(code, err).toBe(0)
    expect(out).toMatch(/^etcd +\S+ +yes /m)
    expect(out).toMatch(/^containerd-template +\S+ +unseen /m)
    expect(out).toContain(`containerd-template: EACCES: permission denied, scandir '${template}'`)
    expect(out).toMatch(/run this command with sudo/)
  })

  test('assets list says the same of the cache', async () => {
    mkdirSync(join(cli.cwd, 'cache', 'assets'), { recursive: true, mode: 0o700 })

    const ran = await runAsNobody('assets list', 'assets list')

    expect(ran.err).toMatch(/^Error: .* belongs to another user: EACCES.*cache/m)
    expect(ran.code).toBe(2)
  })
})

describe('a plan on a machine that cannot carry it out', () => {
  const create = (words: string) =>
    cli.run(['create', 'cluster', 'try', ...words.split(' ')], {
      probes: { hostFacts: async () => ({ ...goodHost, root: false }) },
    })

  test('does not ask for another declaration', async () => {
    const { out } = await create('--masters 1')

    expect(out).toMatch(/error host\.user: .*\n.*Run it with sudo/)
    expect(out).toMatch(
      /Mend the errors above on this machine, then carry it out with `holdfast update cluster try --yes`./,
    )
    expect(out).not.toContain('replace -f')
  })

  test('still does where the declaration is at fault', async () => {
    const { out } = await create('--cloud aws --zones us-west-2a')

    expect(out).toContain('holdfast replace -f cluster.yaml')
  })
})
