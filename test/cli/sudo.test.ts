import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { callersHome, sudoCaller } from '../../src/cli/io.ts'
import { type TestCli, testCli } from './support.ts'

let cli: TestCli
beforeEach(() => {
  cli = testCli()
})
afterEach(() => cli.remove())

/** A host whose users are in a directory, which answers by a script: /etc/passwd has none of them. */
function fromDirectory(script: string): NodeJS.ProcessEnv {
  writeFileSync(join(cli.cwd, 'getent'), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  return { PATH: `${cli.cwd}:/usr/bin:/bin`, SUDO_UID: '4000001' }
}
const directory = `[ "$1 $2" = "passwd 4000001" ] && echo 'me:*:4000001:4000002:Me:/net/home/me:/bin/bash'`

describe('who called through sudo', () => {
  test('is who sudo says', () => {
    expect(sudoCaller({ SUDO_UID: '65534', SUDO_GID: '7' }, 0)).toEqual({ uid: 65_534, gid: 7 })
  })

  test('is nobody without sudo, for root, and where sudo led to another user', () => {
    expect(sudoCaller({}, 0)).toBeUndefined()
    expect(sudoCaller({ SUDO_UID: '0' }, 0)).toBeUndefined()
    expect(sudoCaller({ SUDO_UID: '4000001' }, 33)).toBeUndefined()
  })

  test('has a home where the host has its users', () => {
    expect(callersHome({ PATH: process.env['PATH'], SUDO_UID: '65534' })).toBe('/nonexistent')
    expect(callersHome(fromDirectory(directory))).toBe('/net/home/me')
  })

  test.each([
    ['not known', 'exit 2', /who has no home that this host knows of$/],
    ['silent', 'exec sleep 30', /`getent passwd 4000001` did not answer within 0\.5 s$/],
    ['broken', 'exit 3', /`getent passwd 4000001` failed \(3\)$/],
  ])('and a directory that is %s is told from the others', (_, script, words) => {
    const env = fromDirectory(script)

    expect(() => callersHome(env, 500)).toThrow(
      expect.objectContaining({
        code: 'caller-unknown',
        exitCode: 2,
        message: expect.stringMatching(words),
        remedy: expect.stringContaining('getent passwd 4000001'),
      }),
    )
  })

  test('and a host without getent says so', () => {
    expect(() => callersHome({ PATH: cli.cwd, SUDO_UID: '4000001' })).toThrow(/could not be run: .*ENOENT/)
  })

  test('is looked up only where the home is needed', async () => {
    const env = { SUDO_UID: '4000001' }
    const caller = { uid: 4_000_001, gid: 4_000_002 }
    const userHome = () => callersHome({ ...fromDirectory('exit 2') })
    const run = (words: string, more = {}) =>
      cli.run(words.split(' '), { env: { ...env, ...more }, caller, userHome })

    const kubeconfig = { KUBECONFIG: join(cli.cwd, 'kubeconfig') }
    expect((await run('--help')).code).toBe(0)
    expect((await run('create cluster try', kubeconfig)).code).toBe(0)
    expect((await run('get clusters')).code).toBe(0)
    const refused = await run('get clusters', { HOLDFAST_HOME: '' })

    expect(refused.code).toBe(2)
    expect(refused.err).toMatch(/^Error: sudo was called by user 4000001, who has no home/)
  })
})

test.runIf(process.geteuid?.() === 0)(
  'what is made in the caller’s home belongs to the caller, and what was there stays whose it was',
  async () => {
    const userHome = join(cli.cwd, 'me')
    mkdirSync(join(userHome, '.cache'), { recursive: true })

    const { code } = await cli.run(['create', 'cluster', 'try'], {
      caller: { uid: 4_000_001, gid: 4_000_002 },
      userHome: () => userHome,
      env: { HOLDFAST_HOME: '', HOLDFAST_CACHE: '', SUDO_UID: '4000001' },
    })

    const owner = (path: string) => {
      const { uid, gid } = statSync(join(userHome, path))
      return [uid, gid]
    }
    expect(code).toBe(0)
    for (const path of ['.local', '.local/share', '.local/share/holdfast', '.cache/holdfast'])
      expect(owner(path), path).toEqual([4_000_001, 4_000_002])
    for (const path of ['', '.cache']) expect(owner(path), path).toEqual([0, 0])
  },
)
