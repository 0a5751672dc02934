import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Host, HostCommandError } from '../../src/hosts/host.ts'

/** What every Host must do. `make` gives one and a folder on it that may be filled. */
export function hostConformance(name: string, make: () => Promise<{ host: Host; folder: string }>): void {
  describe(`host contract: ${name}`, () => {
    let host: Host
    let folder: string
    let local: string

    beforeAll(async () => {
      const made = await make()
      host = made.host
      folder = made.folder
      local = await mkdtemp(join(tmpdir(), 'hf-host-'))
    })
    afterAll(async () => {
      await host?.run(['rm', '-rf', folder])
      await rm(local, { recursive: true, force: true })
    })

    const failure = (promise: Promise<unknown>): Promise<HostCommandError> =>
      promise.then(
        () => {
          throw new Error('did not fail')
        },
        (error: unknown) => {
          if (!(error instanceof HostCommandError)) throw error
          return error
        },
      )

    test('runs a command as root with input, environment and its words untouched', async () => {
      const script = 'cat; printf "%s|" "$WORD" "$@"; id -u; echo careful >&2'
      const result = await host.run(['sh', '-c', script, 'sh', 'a b', '$(x)', '*'], {
        input: 'typed ',
        env: { WORD: 'from outside' },
      })

      expect(result).toEqual({
        stdout: `typed from outside|a b|$(x)|*|${process.getuid?.()}\n`,
        stderr: 'careful\n',
      })
    })

    test('an error keeps host, command, exit code and standard error', async () => {
      const error = await failure(host.run(['sh', '-c', 'echo no such thing >&2; exit 7']))

      expect(error).toMatchObject({ code: 'host-command-failed', host: host.name, exitStatus: 7 })
      expect(error.stderr).toBe('no such thing\n')
      expect(error.message).toContain('exit code 7')
    })

    test('a program that is not there is the same kind of error', async () => {
      const error = await failure(host.run(['holdfast-no-such-program']))

      expect(error.message).toContain('holdfast-no-such-program')
    })

    test('secrets are in no part of an error', async () => {
      const error = await failure(
        host.run(['sh', '-c', 'echo "token is $TOKEN and $1" >&2; exit 1', 'sh', 'other-secret'], {
          env: { TOKEN: 'very-secret' },
          secrets: ['very-secret', 'other-secret', ''],
        }),
      )

      const everything = JSON.stringify({ ...error, message: error.message, stack: error.stack })
      expect(everything).not.toMatch(/very-secret|other-secret/)
      expect(error.stderr).toBe('token is *** and ***\n')
    })

    test('a time-out ends the command and everything it started', async () => {
      const marker = `${7_000 + Math.floor(Math.random() * 1_000)}.5`
      const begin = performance.now()

      const error = await failure(
        host.run(['sh', '-c', `sleep ${marker} & sleep ${marker}; echo`], { timeoutMs: 300 }),
      )

      expect(performance.now() - begin).toBeLessThan(3_000)
      expect(error.message).toContain('300 ms')
      const left = await host.run([
        'sh',
        '-c',
        `cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -c "^sleep ${marker}" || :`,
      ])
      const count = await host.run([
        'sh',
        '-c',
        `for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline 2>/dev/null; echo; done | grep -c "^sleep ${marker}" || :`,
      ])
      expect([left.stdout.trim(), count.stdout.trim()]).toEqual(['0', '0'])
    })

    test('more output than a pipe holds arrives whole', async () => {
      const { stdout } = await host.run(['sh', '-c', 'head -c 3000000 /dev/zero | tr "\\0" x'])

      expect(stdout.length).toBe(3_000_000)
    })

    test('writes a file with its mode, its folders and over an older one', async () => {
      const path = `${folder}/deep/er/file with space`

      await host.writeFile(path, 'one\n')
      const first = await host.run(['stat', '-c', '%a', path])
      await host.writeFile(path, 'zwei ü\n', { mode: 0o644 })
      const second = await host.run(['stat', '-c', '%a', path])

      expect([first.stdout, second.stdout]).toEqual(['600\n', '644\n'])
      expect(await host.readFile(path)).toBe('zwei ü\n')
      const { stdout } = await host.run(['ls', '-A', `${folder}/deep/er`])
      expect(stdout).toBe('file with space\n')
    })

    test('reading what is not there is a HostCommandError', async () => {
      const error = await failure(host.readFile(`${folder}/nothing`))

      expect(error.message).toContain('nothing')
    })

    test('uploads bytes as they are', async () => {
      const source = join(local, 'bytes')
      const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 256))
      await writeFile(source, bytes)

      await host.upload(source, `${folder}/up/bytes`, { mode: 0o755 })

      const { stdout } = await host.run([
        'sh',
        '-c',
        'stat -c %a,%s "$1"; sha256sum <"$1"',
        'sh',
        `${folder}/up/bytes`,
      ])
      const here = await import('../../src/hosts/local.ts').then(({ sha256OfFile }) => sha256OfFile(source))
      expect(stdout).toBe(`755,300000\n${here}  -\n`)
      await failure(host.upload(join(local, 'none'), `${folder}/up/none`))
    })
  })
}
