import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { publishAsset } from '../../src/assets/cache.ts'
import { kubernetesRecipe } from '../../src/assets/catalog.ts'
import { assetId } from '../../src/assets/recipe.ts'
import { componentVersions } from '../../src/assets/versions.ts'
import { createCli } from '../../src/cli/context.ts'
import type { Io } from '../../src/cli/io.ts'
import { placeOf } from '../../src/cli/place.ts'
import { buildProgram } from '../../src/cli/program.ts'
import { needsCluster } from '../../src/cli/verbs/kubectl.ts'
import { kubernetes } from '../../src/constants.ts'
import { applyCluster } from '../../src/operations/apply.ts'
import { createCluster } from '../../src/operations/create.ts'
import { declare, givePki, testOperation } from '../operations/support.ts'
import { type TestCli, testCli } from './support.ts'

let cli: TestCli
beforeEach(async () => {
  cli = testCli()
  for (const name of ['a', 'b']) await cli.run(['create', 'cluster', name])
})
afterEach(() => cli.remove())

const run = (words: string) => cli.run(words.split(' '))

test('options of Holdfast may stand before the first word of kubectl', async () => {
  const named = [
    'kubectl --name none get nodes',
    '--name none kubectl get nodes',
    'kubectl --name=none get nodes',
  ]

  for (const words of named) expect((await run(words)).err, words).toContain('There is no cluster "none"')
  const elsewhere = await run(`kubectl --state file://${cli.cwd}/other get nodes`)
  expect(elsewhere.err).toContain('There is no cluster in ')
})

test.each(['kubectl get pods --name', 'kubectl get pods --name none', 'kubectl -n x --name none get pods'])(
  'behind it they are kubectl’s: %s',
  async (words) => {
    expect((await run(words)).err).toContain('Which cluster? There are several: a, b')
  },
)

test.each([
  'kubectl get pods -o json',
  'kubectl --name none get pods --output=json',
  '--name none shell m -o json',
])('an error of Holdfast does not take the place of the other program’s JSON: %s', async (words) => {
  const ran = await run(words)

  expect(ran.out).toBe('')
  expect(ran.err).toContain('Error: ')
})

test('an error is JSON where it was asked of Holdfast', async () => {
  for (const words of [
    'get cluster none -o json',
    'get nonsense -o json',
    '--name kubectl get machines -ojson',
  ]) {
    expect(JSON.parse((await run(words)).out), words).toHaveProperty('error.code')
  }
})

test('what kubectl answers by itself needs no cluster', () => {
  for (const words of [
    'version --client',
    'version -o json --client',
    'help get',
    'options',
    'completion bash',
  ])
    expect(needsCluster(words.split(' ')), words).toBe(false)
  for (const words of ['version', 'get nodes', 'run version --client'])
    expect(needsCluster(words.split(' ')), words).toBe(true)
})

test('a question to kubectl alone installs and builds nothing', async () => {
  const ran = await run('kubectl version --client')

  expect(ran.code).toBe(1)
  expect(ran.err).toContain('is not in the cache yet')
  expect(ran.err).toContain('holdfast assets fetch')
})

test('with the cached program alone it runs, past a proxy and with what the user lets go past it', async () => {
  const setup = testOperation()
  const { operation } = setup
  await givePki(operation)
  await createCluster(operation, declare())
  await applyCluster(operation, 'try')
  const recipe = kubernetesRecipe(componentVersions(kubernetes.defaultVersion))
  const asset = await publishAsset(operation.home.cache, assetId(recipe), async (dir) => {
    await writeFile(join(dir, 'kubectl'), '')
    return 'built'
  })
  // Whatever would be fetched or built from here on ends at once.
  setup.stop.abort()
  const ran: { command: readonly string[]; env: NodeJS.ProcessEnv | undefined }[] = []
  const io = {
    env: { HTTPS_PROXY: 'http://proxy:3128', NO_PROXY: 'localhost' },
    attach: async (command: readonly string[], env?: NodeJS.ProcessEnv) => ran.push({ command, env }),
  }
  const real = createCli(io as unknown as Io)
  const standIn = {
    ...real,
    clusterName: async () => 'try',
    operate: <T>(_: unknown, action: (given: typeof operation) => Promise<T>) => action(operation),
  }

  await buildProgram(standIn).parseAsync(['kubectl', 'get', 'nodes'], { from: 'user' })
  setup.remove()

  expect(ran).toEqual([
    {
      command: [join(asset.dir, 'kubectl'), 'get', 'nodes'],
      env: expect.objectContaining({
        HTTPS_PROXY: 'http://proxy:3128',
        NO_PROXY: 'localhost,10.9.0.1',
        no_proxy: 'localhost,10.9.0.1',
        KUBECONFIG: expect.stringContaining('credentials/try/kubeconfig'),
      }),
    },
  ])
})

test('an operation knows the proxy of the user’s own kubectl', async () => {
  const env = {
    HOLDFAST_HOME: cli.home,
    HOLDFAST_CACHE: join(cli.cwd, 'cache'),
    HTTPS_PROXY: 'http://proxy:3128',
  }
  const io = { env, userHome: () => cli.cwd, onInterrupt: () => () => {} }

  const { kubeconfig } = await createCli(io as unknown as Io).operate({}, async (operation) => operation)

  expect(kubeconfig.env).toMatchObject({ HTTPS_PROXY: 'http://proxy:3128' })
})

test('exactly the verbs that hand their words on are known to do so', () => {
  const program = buildProgram(createCli({ env: {} } as Io))
  const verbs = program.commands.flatMap((verb) => [[verb], ...verb.commands.map((below) => [verb, below])])

  for (const path of verbs) {
    const words = path.map((verb) => verb.name())
    const command = path.at(-1)
    if (command?.commands.length) continue
    const handsOn: unknown = command && Reflect.get(command, '_passThroughOptions')
    expect(placeOf(program, [...words, 'word']).passedOn, words.join(' ')).toBe(handsOn)
  }
})
