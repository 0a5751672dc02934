import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type TestCli, testCli } from './support.ts'

let cli: TestCli
beforeEach(async () => {
  cli = testCli()
  for (const name of ['bad', 'good']) await cli.run(['create', 'cluster', name])
  damage('bad')
})
afterEach(() => cli.remove())

const damage = (name: string) => writeFileSync(join(cli.home, 'store', name, 'cluster.yaml'), 'x')

test.each([[[]], [['-o', 'json']], [['-o', 'yaml']]])(
  'a damaged cluster is left out with a warning: %j',
  async (form) => {
    const { code, out, err } = await cli.run(['get', 'clusters', ...form])

    expect(code).toBe(0)
    expect(out).toContain('good')
    expect(out).not.toContain('bad')
    expect(err).toMatch(
      /^ {2}warning bad: The state store's file .*bad\/cluster\.yaml is damaged: .*\n +Put back/,
    )
  },
)

test('where it is the one that is named, or no other can be read, it is an error', async () => {
  expect(await cli.run(['get', 'cluster', 'bad'])).toMatchObject({ code: 1, out: '' })
  damage('good')
  expect(await cli.run(['get', 'clusters'])).toMatchObject({ code: 1, out: '' })
})
