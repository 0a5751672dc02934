import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { goodHost } from '../clouds/local-acting/good-host.ts'
import { type BadInput, badInputs } from './bad-input-cases.ts'
import { type TestCli, testCli } from './support.ts'

/**
 * What is said to each bad input, word for word, in a file that anyone can review. After a wanted
 * change: `UPDATE_TRANSCRIPTS=1 npx vitest run test/cli/bad-input.test.ts`, and read the difference.
 */
const transcriptFile = new URL('bad-input.txt', import.meta.url)
const updating = process.env['UPDATE_TRANSCRIPTS'] === '1'
const transcripts = readFileSync(transcriptFile, 'utf8')
const heading = ({ name, words }: BadInput) => `## ${name}\n$ holdfast ${words}\n`
const told: string[] = []

let cli: TestCli
beforeEach(() => {
  cli = testCli()
})
afterEach(() => cli.remove())
afterAll(() => {
  if (updating) writeFileSync(transcriptFile, told.join('\n'))
})

/** The lines below a case's heading, up to the next one. */
function expected(bad: BadInput): string {
  const start = transcripts.indexOf(heading(bad))
  if (start < 0) return 'no transcript of this case'
  const text = transcripts.slice(start + heading(bad).length)
  const end = text.indexOf('\n## ')
  return end < 0 ? text : text.slice(0, end)
}

describe('bad input: a clear error, the right exit code, nothing changed', () => {
  test.each(badInputs)('$name: $words', async (bad) => {
    const { machine, routes, env } = bad
    for (const [name, text] of Object.entries(bad.files ?? {})) {
      mkdirSync(dirname(join(cli.cwd, name)), { recursive: true })
      writeFileSync(join(cli.cwd, name), text)
    }
    for (const words of bad.before?.split(', ') ?? []) {
      expect((await cli.run(['create', 'cluster', ...words.split(' ')])).code).toBe(0)
    }
    const before = cli.snapshot()

    const ran = await cli.run(bad.words.replace('DIR', cli.cwd).split(' '), {
      ...(env ? { env } : {}),
      ...(bad.editor === undefined ? {} : { attach: async () => bad.editor ?? 0 }),
      probes: {
        hostFacts: async () => ({ ...goodHost, ...machine }),
        ...(routes ? { hostRoutes: async () => routes } : {}),
      },
    })

    const said = ran.err.replaceAll(cli.home, 'HOME').replaceAll(cli.cwd, 'DIR')
    if (updating) told.push(`${heading(bad)}${said}`)
    else expect(said).toBe(expected(bad))
    expect(ran.code).toBe(bad.code)
    expect(ran.out).toBe('')
    expect(cli.snapshot()).toEqual(before)
  })

  test.each(['home/x', 'cache/assets/x', '.kube/config', 'x'])('a change of %s would be noticed', (path) => {
    const before = cli.snapshot()

    mkdirSync(dirname(join(cli.cwd, path)), { recursive: true })
    writeFileSync(join(cli.cwd, path), '')

    expect(cli.snapshot()).not.toEqual(before)
  })

  test('there are at least thirty, each with a transcript and no transcript too many', () => {
    expect(badInputs.length).toBeGreaterThanOrEqual(30)
    expect(transcripts.match(/^## /gm)?.length).toBe(badInputs.length)
  })
})
