import type { Command } from 'commander'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createCli } from '../../src/cli/context.ts'
import type { Io } from '../../src/cli/io.ts'
import { buildProgram } from '../../src/cli/program.ts'
import { type ClusterFlags, declarationFromFlags } from '../../src/spec/flags.ts'
import { repeatUp } from '../../src/spec/repeat-up.ts'
import { type TestCli, testCli } from './support.ts'

let cli: TestCli
beforeEach(() => {
  cli = testCli()
})
afterEach(() => cli.remove())

/** The verbs themselves read these; all others are for `declarationFromFlags`. */
const ofTheVerb = ['state', 'output', 'dryRun', 'wait']

test.each(['up', 'create cluster'])('every option of %s is read', (verb) => {
  const read = new Set<string | symbol>()
  const flags = new Proxy({} as ClusterFlags, {
    get: (_, key) => {
      read.add(key)
      return undefined
    },
  })

  declarationFromFlags(flags)

  const options = commandOf(verb).options.map((option) => option.attributeName())
  expect(options.length).toBeGreaterThan(9)
  expect(options.filter((option) => !ofTheVerb.includes(option) && !read.has(option))).toEqual([])
})

test('--control-planes is --masters', async () => {
  const ran = await cli.run('create cluster x --control-planes 5 --dry-run -o json'.split(' '))

  const [{ groups }] = JSON.parse(ran.out)
  expect(groups.filter((group: { spec: { role: string } }) => group.spec.role === 'master')).toHaveLength(5)
})

test('--control-planes and --masters that differ are an error', async () => {
  const ran = await cli.run('create cluster x --control-planes 5 --masters 3'.split(' '))

  expect(ran.code).toBe(2)
  expect(ran.err).toContain('two words for one thing')
})

test('up again with another number of control planes is refused by name', () => {
  const { declaration } = declarationFromFlags({ name: 'x', masters: 3 })
  if (!declaration) throw new Error('these flags must be right')

  expect(repeatUp(declaration, { controlPlanes: '3' }).errors).toEqual([])
  expect(repeatUp(declaration, { controlPlanes: '1' }).errors).not.toEqual([])
})

test('drill kill-control-plane is drill kill-master', async () => {
  const ran = await cli.run('drill kill-control-plane none'.split(' '))

  expect(ran.err).toContain('There is no cluster "none"')
})

function commandOf(words: string): Command {
  let command = buildProgram(createCli({ env: {} } as Io))
  for (const word of words.split(' ')) {
    const next = command.commands.find((one) => one.name() === word)
    if (!next) throw new Error(`no verb ${word}`)
    command = next
  }
  return command
}
