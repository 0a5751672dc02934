import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { createCli } from '../src/cli/context.ts'
import { processIo } from '../src/cli/io.ts'
import { buildProgram } from '../src/cli/program.ts'

/** The pages for people say nothing that is not there. */
const root = join(import.meta.dirname, '..')
const pages = ['README.md', 'CHANGELOG.md', ...markdownIn('docs')].map((path) => ({
  path,
  // What stands in a comment of HTML is for whoever writes the page.
  text: readFileSync(join(root, path), 'utf8').replaceAll(/<!--[\s\S]*?-->/g, ''),
}))

function markdownIn(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name))
    .sort()
}

/** GitHub's: lower case, punctuation gone, blanks become dashes. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(/\s/g, '-')

const anchorsIn = (text: string): string[] =>
  [...withoutFences(text).matchAll(/^#+ (.+)$/gm)].map((match) => anchorOf(match[1] ?? ''))

const withoutFences = (text: string): string => text.replaceAll(/^```[\s\S]*?^```/gm, '')

/** Fenced blocks and words in backticks: what a reader would type or look for. */
const codeIn = (text: string): string[] => [
  ...[...text.matchAll(/^```\w*\n([\s\S]*?)^```/gm)].map((match) => match[1] ?? ''),
  ...[...withoutFences(text).matchAll(/`([^`]+)`/g)].map((match) => (match[1] ?? '').replaceAll('\n', ' ')),
]

describe.each(pages)('$path', ({ path, text }) => {
  test('every link to a file leads to one, and to a heading of it', () => {
    const links = [...withoutFences(text).matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? '')

    const dead = links
      .filter((link) => !/^[a-z]+:/.test(link))
      .filter((link) => {
        const [file = '', anchor] = link.split('#')
        const target = file === '' ? join(root, path) : resolve(root, dirname(path), file)
        if (!existsSync(target)) return true
        return anchor !== undefined && !anchorsIn(readFileSync(target, 'utf8')).includes(anchor)
      })

    expect(dead).toEqual([])
  })

  test('every path of ours that is named is there', () => {
    const named = [...text.matchAll(/(?<![\w./-])(?:src|test|scripts|bench|assets\/modules)\/[\w./*-]+/g)]
      .map((match) => match[0].replace(/[.,/]+$/, ''))
      // Written by the bench when it has run, and names with a part to be filled in.
      .filter((name) => !name.startsWith('bench/results.') && !/\*|NAME/.test(name))

    expect(named.filter((name) => !existsSync(join(root, name)))).toEqual([])
  })

  test('every command of holdfast that is shown is one', () => {
    const shown = codeIn(text).flatMap((code) =>
      [...code.matchAll(/(?<![\w/-])(?:\.\/)?holdfast (?! )([^\n|;&#)`]+)/g)].map((match) => match[1] ?? ''),
    )

    expect(shown.filter((words) => !isCommand(words.trim().split(/\s+/)))).toEqual([])
  })
})

const program = buildProgram(createCli(processIo()))
const named = (command: Command, word: string): Command | undefined =>
  command.commands.find((one) => one.name() === word || one.aliases().includes(word))

/** The verb, and what follows it where it has verbs of its own; every option must be one of theirs. */
function isCommand(words: readonly string[]): boolean {
  const rest = [...words]
  while (rest[0]?.startsWith('--')) rest.splice(0, ['--name', '--state'].includes(rest[0]) ? 2 : 1)
  const [verb = '', next = ''] = rest
  // `holdfast COMMAND` is a place to be filled in; an installation is asked of the start script itself.
  if (/^[A-Z]+$/.test(verb) || verb === '' || verb === '…') return true
  let command = named(program, verb)
  if (!command) return false
  if (verb === 'kubectl' || verb === 'shell') return true
  const below = /^[a-z]/.test(next) ? named(command, next) : undefined
  if (command.commands.length > 0 && /^[a-z]/.test(next) && !below) return false
  command = below ?? command
  const known = [...command.options, ...program.options].flatMap(({ long, short }) => [long, short])
  const options = rest.filter((word) => /^--?[a-z]/.test(word)).map((word) => word.split('=')[0])
  return options.every((option) => option === '--help' || known.includes(option))
}

test('the page of commands has every verb, and the list of faults every number', () => {
  const page = (name: string) => pages.find(({ path }) => path === name)?.text ?? ''
  const headings = [...page('docs/cli.md').matchAll(/^## (.+)$/gm)].map((match) => match[1])
  const faults = [...page('docs/faults.md').matchAll(/^\| (\d+) \|/gm)].map((match) => Number(match[1]))

  expect(headings.sort()).toEqual(program.commands.map((command) => command.name()).sort())
  expect(faults.sort((a, b) => a - b)).toEqual(Array.from({ length: 58 }, (_, index) => index + 1))
})
