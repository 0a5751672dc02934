import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { exitCodes } from '../../src/cli/exit-codes.ts'

const root = join(import.meta.dirname, '..', '..')
const page = readFileSync(join(root, 'docs', 'errors.md'), 'utf8')

/** Every code that the sources give to a HoldfastError, or to a class made from it. */
function codesInSources(): string[] {
  const found = new Set<string>()
  for (const name of readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.ts')) continue
    const text = readFileSync(join(root, 'src', name), 'utf8')
    for (const [, first = ''] of text.matchAll(/(?:new HoldfastError|super)\(\s*([^,]+),/g)) {
      for (const [, code = ''] of first.matchAll(/'([a-z0-9-]+)'/g)) found.add(code)
    }
  }
  return [...found].sort()
}

test('the page of errors lists exactly the codes of the sources', () => {
  const listed = [...page.matchAll(/^\| `([a-z0-9-]+)` \|/gm)].map((match) => match[1] ?? '').sort()

  expect(listed).toEqual(codesInSources())
})

test('no code is made from parts, where this test could not find it', () => {
  for (const name of readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.ts') || name.endsWith('api-wire.ts')) continue
    const text = readFileSync(join(root, 'src', name), 'utf8')
    for (const [, first = ''] of text.matchAll(/new HoldfastError\(\s*([^,]+),/g)) {
      expect(first, name).toMatch(/'[a-z0-9-]+'/)
      expect(first, name).not.toMatch(/[`$+]/)
    }
  }
})

test('the page lists exactly the exit codes of the command line', () => {
  const listed = [...page.matchAll(/^\| (\d+) \|/gm)].map((match) => Number(match[1]))

  expect(listed.sort((a, b) => a - b)).toEqual(Object.values(exitCodes).sort((a, b) => a - b))
})
