import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createCli } from '../../src/cli/context.ts'
import type { Io } from '../../src/cli/io.ts'
import { buildProgram } from '../../src/cli/program.ts'
import { localPaths, writeRecord } from '../../src/clouds/local/records.ts'
import { type ClusterFlags, declarationFromFlags } from '../../src/spec/flags.ts'
import { type TestCli, testCli } from './support.ts'

const program = join(import.meta.dirname, '..', '..', 'holdfast')

let cli: TestCli
let script: string
beforeAll(async () => {
  cli = testCli()
  for (const name of ['one', 'two']) await cli.run(['create', 'cluster', name, '--zones', 'a,b,c'])
  const paths = localPaths({ dir: cli.home })
  await writeRecord(paths.clusterRecord('one'), { name: 'one' })
  for (const id of ['master-a-x7k2p', 'nodes-9q1zz'])
    await writeRecord(paths.machineRecord('one', id), { id })
  script = (await cli.run(['completion', 'bash'])).out
})
afterAll(() => cli.remove())

/** What a real bash offers after these words, which are as bash takes them apart. */
function offeredBy(file: string, words: readonly string[]): string[] {
  const line = [file, ...words].map((word) => `'${word}'`).join(' ')
  const ask = `compopt() { echo "compopt $*"; }
COMP_WORDS=(${line}); COMP_CWORD=${words.length}; _holdfast
for word in "\${COMPREPLY[@]}"; do printf '%s\\n' "$word"; done`
  const out = execFileSync('bash', ['--norc', '-c', `${script}\n${ask}`], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], HOLDFAST_HOME: cli.home, HOLDFAST_CACHE: join(cli.cwd, 'cache') },
  })
  return out.split('\n').filter((word) => word !== '')
}

/** The same with a stand-in for the program, which hands the question over to this process: many questions fast. */
async function offered(...words: string[]): Promise<string[]> {
  const file = join(cli.cwd, 'holdfast')
  const [asked, answer] = [join(cli.cwd, 'asked'), join(cli.cwd, 'answer')]
  writeFileSync(file, `#!/bin/sh\nprintf '%s\\n' "$@" >${asked}\ncat ${answer}\n`, { mode: 0o755 })
  writeFileSync(answer, '')
  offeredBy(file, words)
  const { out, err } = await cli.run(readFileSync(asked, 'utf8').split('\n').slice(0, -1))
  expect(err).toBe('')
  writeFileSync(answer, out)
  return offeredBy(file, words)
}

describe('in bash', () => {
  test('the program itself is asked', () => {
    expect(offeredBy(program, ['get', 'machines', '--name', '=', 'tw'])).toEqual(['two'])
  })

  test('verbs, and what follows them', async () => {
    expect(await offered('')).toEqual(expect.arrayContaining(['up', 'create', 'validate', 'help']))
    expect(await offered('va')).toEqual(['validate'])
    expect(await offered('create', 'cl')).toEqual(['cluster'])
    expect(await offered('drill', 'kill-c')).toEqual(['kill-control-plane'])
    expect(await offered('help', 'create', '')).toEqual(['cluster'])
  })

  test('a value of an option before the verb is no verb', async () => {
    expect(await offered('--name', 'up', 'up', '--l')).toEqual([])
    expect(await offered('--name', 'up', 'va')).toEqual(['validate'])
  })

  test('clusters', async () => {
    expect(await offered('validate', 'cluster', '')).toEqual(['one', 'two'])
    expect(await offered('validate', 'cluster', 'one', '')).toEqual([])
    expect(await offered('--name', '')).toEqual(['one', 'two'])
    expect(await offered('get', 'machines', '--name', '=', 'tw')).toEqual(['two'])
    expect(await offered('get', 'machines', '--name', '=')).toEqual(['one', 'two'])
    expect(await offered('create', 'cluster', '')).toEqual([])
    const elsewhere = ['--state', 'file', ':', `//${cli.cwd}/other`]
    expect(await offered(...elsewhere, 'validate', 'cluster', '')).toEqual([])
  })

  test('values of options', async () => {
    expect(await offered('up', '--networking', '')).toEqual(['vxlan', 'routed', 'cni'])
    expect(await offered('get', 'clusters', '-o', '')).toEqual(['table', 'json', 'yaml'])
    expect(await offered('logs', 'm', '-c', 'etcd')).toEqual(['etcd-main', 'etcd-events'])
    expect(await offered('completion', '')).toEqual(['bash', 'zsh', 'fish'])
  })

  test('options, through another name of the verb too', async () => {
    expect(await offered('get', 'ig', '--')).toEqual(['--name', '--state', '--output', '--help'])
    expect(await offered('create', 'cluster', 'try', '--mas')).toEqual(
      expect.arrayContaining(['--masters', '--master-zones']),
    )
    expect(await offered('drill', 'kill-control-plane', 'try', '--l')).toEqual(['--leader', '--lose-volumes'])
  })

  test('machines and groups', async () => {
    expect(await offered('logs', '')).toEqual(['master-a-x7k2p', 'nodes-9q1zz'])
    expect(await offered('--name', 'two', 'logs', '')).toEqual([])
    expect(await offered('get', 'ig', 'o')).toEqual(['one'])
    expect(await offered('get', 'ig', '--name', 'one', 'nodes', 'n')).toEqual(['nodes'])
    expect(await offered('edit', 'ig', '--name', 'two', 'mas')).toEqual(['master-a', 'master-b', 'master-c'])
  })

  test('names of files, by bash itself', async () => {
    for (const words of [
      ['create', '-f', ''],
      ['load', 'image', ''],
      ['assets', 'fetch', '--bundle', ''],
    ])
      expect(await offered(...words), words.join(' ')).toEqual(['compopt -o default'])
  })

  test('nothing for the words of another program', async () => {
    expect(await offered('kubectl', 'get', '--n')).toEqual([])
    expect(await offered('shell', 'master-a-x7k2p', '')).toEqual([])
  })
})

test('it makes no folder and prints no error', async () => {
  const env = { HOLDFAST_HOME: join(cli.cwd, 'none') }

  expect(await cli.run(['__complete', '--name', ''], { env })).toEqual({ code: 0, out: '', err: '' })
  expect(await cli.run(['__complete', '--state', 'nonsense', '--name', ''], { env })).toMatchObject({
    err: '',
  })
  expect(() => execFileSync('test', ['-e', env.HOLDFAST_HOME])).toThrow()
})

test('zsh and fish get a script that asks in the same way', async () => {
  for (const shell of ['zsh', 'fish']) {
    const { out } = await cli.run(['completion', shell])
    for (const word of ['__complete', ':files']) expect(out, shell).toContain(word)
  }
})

describe('what is suggested', () => {
  const suggested = (verb: Command | undefined) =>
    (verb?.options ?? []).flatMap((option) =>
      (option.argChoices ?? []).map((word): [string, string] => [option.attributeName(), word]),
    )
  const verbs = buildProgram(createCli({ env: {} } as Io)).commands

  test('is accepted by create cluster', () => {
    const create = verbs.find((verb) => verb.name() === 'create')?.commands[0]
    const values = suggested(create).filter(([option]) => option !== 'output')

    expect(values.length).toBeGreaterThan(9)
    for (const [option, word] of values) {
      const flags: ClusterFlags = {
        name: 'x',
        [option]: word,
        ...(option === 'cloud' ? { zones: 'us-west-2a' } : {}),
      }
      expect(
        declarationFromFlags(flags).errors.map(({ message }) => message),
        `${option} ${word}`,
      ).toEqual([])
    }
  })

  test('is every component that logs knows', async () => {
    const { err } = await cli.run(['logs', 'm', '-c', 'nonsense'])

    const logs = suggested(verbs.find((verb) => verb.name() === 'logs')).map(([, word]) => word)
    const known = /There is (.*)\.$/m.exec(err)?.[1]?.split(/, | or /)
    expect(logs.sort()).toEqual(known?.sort())
  })
})
