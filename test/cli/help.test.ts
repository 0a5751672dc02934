import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Command } from 'commander'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createCli } from '../../src/cli/context.ts'
import type { Io } from '../../src/cli/io.ts'
import { durationMs } from '../../src/cli/options.ts'
import { buildProgram } from '../../src/cli/program.ts'
import { type TestCli, testCli } from './support.ts'

let cli: TestCli
beforeEach(() => {
  cli = testCli()
})
afterEach(() => cli.remove())

const run = (words: string) => cli.run(words.split(' '))

describe('help', () => {
  test.each(allVerbs())('of %s: the same both ways, with an example, nothing said twice', async (verb) => {
    const help = await run(`help ${verb}`)
    const flag = await run(`${verb} --help`)

    expect(help).toMatchObject({ code: 0, err: '' })
    expect(help.out).toContain(`Usage: holdfast ${verb.split(' ')[0]}`)
    expect(help.out).toBe(flag.out)
    expect(help.out).toMatch(/Examples?:\n {2}\S/)
    expect(help.out).not.toMatch(/\(default: [^)]*\)\s+\(default/)
    expect(help.out).not.toMatch(/table, json or yaml/)
  })

  test('of a group of verbs has the short name that people type', async () => {
    expect((await run('get --help')).out).toContain('instancegroups|ig ')
  })

  test('by itself, and of itself', async () => {
    expect((await run('help')).out).toBe((await run('--help')).out)
    expect((await run('help --help')).out).toContain('Usage: holdfast help')
  })

  test('has the defaults that a cluster gets', async () => {
    const shown = (await run('create cluster --help')).out.replace(/\s+/g, ' ')
    const [{ cluster, groups }] = JSON.parse((await run('create cluster x --dry-run -o json')).out)
    const sizeOf = (role: string) =>
      groups
        .filter((group: { spec: { role: string } }) => group.spec.role === role)
        .reduce((sum: number, group: { spec: { size: number } }) => sum + group.spec.size, 0)

    for (const [option, value] of [
      ['masters', sizeOf('master')],
      ['workers', sizeOf('node')],
      ['zones', cluster.spec.zones.join(',')],
      ['networking', cluster.spec.networking.kind],
      ['egress', cluster.spec.egress],
    ]) {
      expect(shown, option).toMatch(new RegExp(`--${option} [^()]*\\(default: ${value}\\)`))
    }
  })
})

test.each(['-V', '--version'])('%s', async (option) => {
  const { version } = JSON.parse(readFileSync(`${import.meta.dirname}/../../package.json`, 'utf8'))

  expect(await run(option)).toMatchObject({ code: 0, out: `holdfast ${version}\n` })
})

test.each([
  ['90', 90_000],
  ['90s', 90_000],
  ['2m30s', 150_000],
  ['1h5m', 3_900_000],
  ['250ms', 250],
])('the duration %s', (text, ms) => {
  expect(durationMs(text)).toBe(ms)
})

test.each(['', 's', '1.5m', '2m30', '-5s'])('"%s" is no duration', (text) => {
  expect(() => durationMs(text)).toThrow('Write a duration')
})

test('masters are listed and planned from seat to seat', async () => {
  const planned = await run('create cluster x --zones a,b -o json')
  const listed = await run('get ig x -o json')

  const seats = JSON.parse(listed.out).map((group: { spec: { seat?: string } }) => group.spec.seat)
  expect(seats).toEqual(['a', 'b', 'c', undefined])
  const steps: { where: string }[] = JSON.parse(planned.out).steps
  const masters = steps.filter(({ where }) => where.startsWith('group master')).map(({ where }) => where)
  expect(masters).toEqual(['group master-a-1', 'group master-b', 'group master-a-2'])
})

test('what was written in an editor that failed is kept', async () => {
  await run('create cluster x')
  const before = cli.snapshot()
  let file = ''

  const ran = await cli.run(['edit', 'cluster', 'x'], {
    attach: async (command) => {
      file = command.at(-1) ?? ''
      writeFileSync(file, 'half a thought')
      return 1
    },
  })

  expect(ran.code).toBe(1)
  expect(ran.err).toContain(file)
  expect(readFileSync(file, 'utf8')).toBe('half a thought')
  expect(cli.snapshot()).toEqual(before)
  rmSync(dirname(file), { recursive: true })
})

test.each([
  ['everywhere', /(name|cluster): x$/gm, 'declares y, and what is edited is x'],
  ['alone', /(name): x$/gm, 'speaks of several clusters: y, x'],
])('a cluster that is given another name %s in an editor stays what it is', async (_, places, said) => {
  await run('create cluster x')
  const before = cli.snapshot()

  const ran = await cli.run(['edit', 'cluster', 'x'], {
    attach: async (command) => {
      const file = command.at(-1) ?? ''
      writeFileSync(file, readFileSync(file, 'utf8').replaceAll(places, '$1: y'))
      return 0
    },
  })

  expect(ran.code).toBe(2)
  expect(ran.err).toContain(`x.yaml ${said}\n→ The name of a cluster cannot change.`)
  expect(cli.snapshot()).toEqual(before)
  rmSync(dirname(ran.err.match(/\/\S+x\.yaml/)?.[0] ?? ''), { recursive: true })
})

/** Every verb and group of verbs, as words. */
function allVerbs(): string[] {
  const below = (command: Command, path: readonly string[]): string[] =>
    command.commands.flatMap((verb) => {
      const words = [...path, verb.name()]
      return [words.join(' '), ...below(verb, words)]
    })
  return below(buildProgram(createCli({ env: {} } as Io)), []).filter((words) => words !== 'help')
}
