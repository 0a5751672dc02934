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

test('all are listed whatever HOLDFAST_CLUSTER says, and one that is named alone', async () => {
  await cli.run(['create', 'cluster', 'other'])
  const names = async (...words: string[]) => {
    const ran = await cli.run(['get', 'clusters', '-o', 'json', ...words], {
      env: { HOLDFAST_CLUSTER: 'good' },
    })
    return JSON.parse(ran.out).map(
      ({ cluster }: { cluster: { metadata: { name: string } } }) => cluster.metadata.name,
    )
  }

  expect(await names()).toEqual(['good', 'other'])
  expect(await names('other')).toEqual(['other'])
  expect(await names('--name', 'other')).toEqual(['other'])
})

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
