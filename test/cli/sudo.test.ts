import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { sudoCaller } from '../../src/cli/io.ts'
import { type TestCli, testCli } from './support.ts'

let cli: TestCli
beforeEach(() => {
  cli = testCli()
})
afterEach(() => cli.remove())

/** A host whose users are in a directory: /etc/passwd has none of them. */
function fromDirectory(line: string): NodeJS.ProcessEnv {
  const script = `#!/bin/sh\n[ "$1 $2" = "passwd 4000001" ] && echo '${line}'\n`
  writeFileSync(join(cli.cwd, 'getent'), script, { mode: 0o755 })
  return { PATH: `${cli.cwd}:/usr/bin:/bin` }
}
const directory = 'me:*:4000001:4000002:Me:/net/home/me:/bin/bash'

describe('who called through sudo', () => {
  test('is found where the host has its users', () => {
    const path = { PATH: process.env['PATH'] }

    expect(sudoCaller({ ...path, SUDO_UID: '65534', SUDO_GID: '7' }, 0)).toEqual({
      uid: 65_534,
      gid: 7,
      home: '/nonexistent',
    })
    expect(sudoCaller({ ...fromDirectory(directory), SUDO_UID: '4000001' }, 0)).toEqual({
      uid: 4_000_001,
      gid: 4_000_002,
      home: '/net/home/me',
    })
    expect(sudoCaller({ ...path, SUDO_UID: '4000001' }, 0)).toBeUndefined()
  })

  test('is nobody without sudo, for root, and where sudo led to another user', () => {
    const env = fromDirectory(directory)

    expect(sudoCaller(env, 0)).toBeUndefined()
    expect(sudoCaller({ ...env, SUDO_UID: '0' }, 0)).toBeUndefined()
    expect(sudoCaller({ ...env, SUDO_UID: '4000001' }, 33)).toBeUndefined()
  })
})

test.runIf(process.geteuid?.() === 0)(
  'what is made in the caller’s home belongs to the caller, and what was there stays whose it was',
  async () => {
    const userHome = join(cli.cwd, 'me')
    mkdirSync(join(userHome, '.cache'), { recursive: true })

    const { code } = await cli.run(['create', 'cluster', 'try'], {
      caller: { uid: 4_000_001, gid: 4_000_002 },
      userHome,
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
