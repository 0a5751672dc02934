import { writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { createCli } from '../../src/cli/context.ts'
import type { Io } from '../../src/cli/io.ts'
import { buildProgram } from '../../src/cli/program.ts'
import { type TestCli, testCli } from './support.ts'

let cli: TestCli
beforeEach(() => {
  cli = testCli()
})
afterEach(() => cli.remove())

const declared = async () => JSON.parse((await cli.run(['get', 'clusters', '-o', 'json'])).out)
const declare = async (...names: string[]) => {
  for (const name of names) expect((await cli.run(['create', 'cluster', name])).code).toBe(0)
}

describe('an option before a verb and after it', () => {
  test('the one given last counts, and a default never does', async () => {
    const ran = await cli.run('create -o yaml cluster y --masters 1 -o json'.split(' '))

    expect(JSON.parse(ran.out)).toMatchObject({ cluster: 'y', state: 'declared' })
  })

  test('one that is given before only counts too', async () => {
    const ran = await cli.run('create -o json cluster y --masters 1'.split(' '))

    expect(JSON.parse(ran.out).cluster).toBe('y')
  })

  test.each([
    '--name a delete cluster --name b --yes',
    'delete cluster --name a --name b --yes',
    '--name a delete cluster b --yes',
    '--name a create cluster --name c',
    '--state file:///a get clusters --state file:///b',
  ])('two different clusters or stores are an error that changes nothing: %s', async (words) => {
    await declare('a', 'b')
    const before = cli.snapshot()

    const ran = await cli.run(words.split(' '))

    expect(ran.code).toBe(2)
    expect(ran.err).toMatch(/Two different|Another one was given before/)
    expect(cli.snapshot()).toEqual(before)
  })

  test('the same name twice is fine', async () => {
    await declare('a', 'b')

    await cli.run('--name a delete cluster --name a --yes'.split(' '))

    expect(
      (await declared()).map((one: { cluster: { metadata: { name: string } } }) => one.cluster.metadata.name),
    ).toEqual(['b'])
  })

  test('a store named after the verb is the one that is read', async () => {
    await cli.run(['create', 'cluster', 'elsewhere', '--state', `file://${cli.cwd}/other`])

    const ran = await cli.run(['get', 'clusters', '--state', `file://${cli.cwd}/other`])

    expect(ran.out).toContain('elsewhere')
    expect(await declared()).toEqual([])
  })
})

/** Every verb that has `--output`, but those that need a cluster that runs. */
const listings = [
  'create -f try.yaml',
  'create -f try.yaml --dry-run',
  'create cluster new',
  'create cluster new --dry-run',
  'update cluster try',
  'delete cluster try',
  'get clusters',
  'get cluster try',
  'get instancegroups try',
  'get machines try',
  'get volumes try',
  'replace -f same.yaml',
  'assets list',
  'version',
]
const needACluster = ['validate cluster', 'drill kill-master']

describe('--output', () => {
  beforeEach(async () => {
    await declare('try')
    const { out } = await cli.run(['get', 'cluster', 'try', '-o', 'yaml'])
    writeFileSync(`${cli.cwd}/same.yaml`, out)
    writeFileSync(`${cli.cwd}/try.yaml`, out.replaceAll(': try\n', ': other\n'))
  })

  test.each(listings)('%s', async (words) => {
    const json = await cli.run([...words.split(' '), '-o', 'json'])

    expect(json).toMatchObject({ code: 0 })
    expect(JSON.parse(json.out)).toBeTypeOf('object')
    await cli.run(['delete', 'cluster', 'new', '--yes'])
    await cli.run(['delete', 'cluster', 'other', '--yes'])
    const yaml = await cli.run([...words.split(' '), '-o', 'yaml'])
    expect(yaml.code).toBe(0)
    const documents = parseAllDocuments(yaml.out)
    expect(documents).not.toHaveLength(0)
    for (const document of documents) {
      expect(document.errors).toEqual([])
      expect(document.toJS()).toBeTypeOf('object')
    }
  })

  test('a deletion that is carried out has it too', async () => {
    const { code, out } = await cli.run('delete cluster try --yes -o json'.split(' '))

    expect(code).toBe(0)
    expect(JSON.parse(out)).toEqual({ cluster: 'try', state: 'gone' })
    expect(await declared()).toEqual([])
  })

  test('no verb that has it is left out here', () => {
    const verbs = placesWith(buildProgram(createCli({ env: {} } as Io)), 'output', [])

    for (const verb of verbs) {
      expect(
        [...listings, ...needACluster].some((words) => words.startsWith(verb)),
        verb,
      ).toBe(true)
    }
    expect(verbs.length).toBeGreaterThan(9)
  })
})

/** The verbs, as words, that have this option. */
function placesWith(command: Command, option: string, path: readonly string[]): string[] {
  const here = command.options.some((one) => one.attributeName() === option) ? [path.join(' ')] : []
  return [...here, ...command.commands.flatMap((verb) => placesWith(verb, option, [...path, verb.name()]))]
}
