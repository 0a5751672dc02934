import { execFileSync } from 'node:child_process'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

const script = join(import.meta.dirname, '..', '..', 'holdfast')

/** A project in which `npm` only notes that it was called and lays down a Node that says what it got. */
let base: string
let project: string
let bin: string
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), `holdfast-test-${process.pid}-`))
  project = join(base, 'a project')
  bin = join(base, 'bin')
  mkdirSync(project)
  mkdirSync(bin)
  copyFileSync(script, join(project, 'holdfast'))
  writeFileSync(join(project, 'package-lock.json'), 'first')
  writeFileSync(join(base, 'node'), '#!/bin/sh\nfor word do printf "[%s]" "$word"; done\n', { mode: 0o755 })
  writeFileSync(
    join(bin, 'npm'),
    `#!/bin/sh
echo called >>"${base}/calls"
[ ! -e "${base}/fail" ] || { echo 'npm ERR! no network'; exit 1; }
sleep 0.2
mkdir -p node_modules/.bin
cp "${base}/node" node_modules/.bin/node
`,
    { mode: 0o755 },
  )
})
afterEach(() => rmSync(base, { recursive: true, force: true }))

const environment = () => ({ PATH: `${bin}:/usr/bin:/bin`, HOME: base })
const start = (words: string[], file = join(project, 'holdfast')) =>
  execFileSync(file, words, { encoding: 'utf8', env: environment(), cwd: '/', stdio: 'pipe' })
const calls = () => readFileSync(join(base, 'calls'), 'utf8').trim().split('\n').length

describe('the start script', () => {
  test('installs once, and hands every word on as it is', () => {
    const main = join(project, 'src/cli/main.ts')

    expect(start(['get', 'a b', '', '--x=*'])).toBe(`[${main}][get][a b][][--x=*]`)
    expect(start(['up'])).toBe(`[${main}][up]`)

    expect(calls()).toBe(1)
  })

  test('installs again when the lock file changed', () => {
    start(['up'])
    writeFileSync(join(project, 'package-lock.json'), 'second')

    start(['up'])

    expect(calls()).toBe(2)
  })

  test('finds its folder through symbolic links', () => {
    symlinkSync(join(project, 'holdfast'), join(base, 'link'))
    symlinkSync(join(base, 'link'), join(base, 'link-to-link'))

    expect(start(['up'], join(base, 'link-to-link'))).toContain(join(project, 'src/cli/main.ts'))
  })

  test('says how it was called: by a path, on the PATH, or under sudo', () => {
    writeFileSync(join(base, 'node'), '#!/bin/sh\nprintf "%s" "$HOLDFAST_COMMAND"\n', { mode: 0o755 })
    const called = (file: string, env = {}) =>
      execFileSync(file, ['up'], {
        encoding: 'utf8',
        env: { ...environment(), HOLDFAST_COMMAND: 'of an outer one', ...env },
        cwd: project,
        stdio: 'pipe',
      })

    expect(called('./holdfast')).toBe('./holdfast')
    expect(called(join(project, 'holdfast'))).toBe(`'${project}/holdfast'`)
    symlinkSync(join(project, 'holdfast'), join(bin, 'holdfast'))
    expect(called('holdfast')).toBe('holdfast')
    const asRoot = process.getuid?.() === 0
    expect(called('./holdfast', { SUDO_USER: 'me' })).toBe(asRoot ? 'sudo ./holdfast' : './holdfast')
  })

  test('installs nothing on a TAB', () => {
    expect(start(['__complete', ''])).toBe('')

    expect(() => calls()).toThrow('ENOENT')
  })

  test('of two at once, one installs and the other waits', () => {
    const both = 'cd / && ("$1" a & "$1" b & wait)'

    const out = execFileSync('sh', ['-c', both, 'sh', join(project, 'holdfast')], {
      encoding: 'utf8',
      env: environment(),
      stdio: 'pipe',
    })

    expect(out).toContain('[a]')
    expect(out).toContain('[b]')
    expect(calls()).toBe(1)
  })

  test('a failed installation says why, and is tried again', () => {
    writeFileSync(join(base, 'fail'), '')
    expect(() => start(['up'])).toThrow(/npm ERR! no network[\s\S]*could not be installed/)
    rmSync(join(base, 'fail'))

    expect(start(['up'])).toContain('[up]')
  })

  test('without npm it says what to install', () => {
    rmSync(join(bin, 'npm'))
    const tools = ['sh', 'readlink', 'dirname', 'cmp', 'id', 'flock', 'stat']
    for (const tool of tools) {
      symlinkSync(
        execFileSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).trim(),
        join(bin, tool),
      )
    }

    const run = () =>
      execFileSync(join(project, 'holdfast'), ['up'], { env: { PATH: bin }, encoding: 'utf8', stdio: 'pipe' })

    expect(run).toThrow(/Node\.js with npm[\s\S]*apt-get install/)
  })
})
