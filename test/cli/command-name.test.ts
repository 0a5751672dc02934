import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { goodHost } from '../clouds/local-acting/good-host.ts'
import { type TestCli, testCli } from './support.ts'

let cli: TestCli
beforeEach(() => {
  cli = testCli()
})
afterEach(() => cli.remove())

const env = { HOLDFAST_COMMAND: 'sudo ./holdfast' }
const run = (words: string) => cli.run(words.split(' '), { env })

describe('commands that are printed are called as this one was', () => {
  test('in remedies', async () => {
    expect((await run('update cluster none')).err).toContain('`sudo ./holdfast up` makes a cluster.')
  })

  test('in remedies that tell sudo more', async () => {
    const { err } = await cli.run(['up', 'try'], {
      env,
      probes: { hostFacts: async () => ({ ...goodHost, go: undefined, sudo: true }) },
    })

    expect(err).toContain('try `sudo env "PATH=$PATH" ./holdfast …`')
    expect(err).toContain('`sudo ./holdfast assets fetch --bundle FILE`')
  })

  test('in what is next', async () => {
    expect((await run('create cluster holdfast')).out).toContain(
      'Carry it out with `sudo ./holdfast update cluster holdfast --yes`.',
    )
    expect((await run('delete cluster holdfast')).out).toContain(
      '`sudo ./holdfast delete cluster holdfast --yes`',
    )
  })

  test('in every line of help that shows one', async () => {
    for (const words of ['--help', 'create --help', 'get --help', 'load image --help', 'completion --help']) {
      const { out } = await run(words)
      expect(out, words).toContain('sudo ./holdfast ')
      expect(out, words).not.toMatch(/^Usage: holdfast|^ {2}holdfast |`holdfast /m)
    }
  })

  test('but a cluster of that name stays what it is, and so does JSON', async () => {
    await run('create cluster holdfast')

    expect((await run('get clusters')).out).toMatch(/^holdfast /m)
    expect((await run('update cluster none -o json')).out).not.toContain('sudo')
    expect((await run('get cluster holdfast -o yaml')).out).not.toContain('sudo')
  })
})
