import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { missingPackages } from '../../src/assets/host-packages.ts'

const root = join(import.meta.dirname, '..', '..')
const isPossible = existsSync('/usr/bin/script') && (await missingPackages()).length === 0

/** A host on which everything takes minutes: compilers and mmdebstrap note that they run, and sleep. */
let base: string
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), `holdfast-test-${process.pid}-`))
  mkdirSync(join(base, 'bin'))
  for (const name of ['go', 'gcc', 'mmdebstrap']) {
    const script = `#!/bin/sh\necho >>${base}/begun\nwhile :; do sleep 0.1; echo >>${base}/alive; done\n`
    writeFileSync(join(base, 'bin', name), script, { mode: 0o755 })
  }
})
afterEach(() => rmSync(base, { recursive: true, force: true }))

/** `assets fetch` on a terminal of its own; gives what keys are typed on. */
function fetchOnTerminal() {
  const command = `${process.execPath} ${root}/src/cli/main.ts assets fetch`
  const child = spawn('/usr/bin/script', ['--quiet', '--return', '--command', command, `${base}/screen`], {
    stdio: ['pipe', 'ignore', 'ignore'],
    env: {
      PATH: `${base}/bin:${process.env['PATH']}`,
      TERM: 'xterm',
      HOLDFAST_HOME: `${base}/home`,
      HOLDFAST_CACHE: `${base}/cache`,
      // No official site can be reached.
      HTTPS_PROXY: 'http://127.0.0.1:9',
    },
  })
  const begun = vi.waitUntil(() => existsSync(`${base}/begun`) && linesOf('begun') >= 2, { timeout: 15_000 })
  const screen = () => readFileSync(`${base}/screen`, 'utf8').replaceAll(/\s+/g, ' ')
  return { begun, screen, ended: once(child, 'exit'), ctrlC: () => child.stdin.write('\u0003') }
}

const linesOf = (name: string) => readFileSync(join(base, name), 'utf8').split('\n').length - 1

async function expectNothingRuns() {
  const before = linesOf('alive')
  await sleep(500)
  expect(linesOf('alive')).toBe(before)
}

describe.runIf(isPossible)('Ctrl-C while assets are built', () => {
  test('once: ends what is being built, and says how to go on', async () => {
    const { begun, screen, ended, ctrlC } = fetchOnTerminal()
    await begun

    ctrlC()
    const [code] = await ended

    expect(code).toBe(130)
    expect(screen()).toMatch(
      /Error:\S* Stopped, as asked\. .* is begun again next time; .*→.* Go on with the same command\./,
    )
    expect(screen()).not.toMatch(/failed/)
    await expectNothingRuns()
    const folders = readdirSync(join(base, 'cache', 'assets')).map((name) =>
      join(base, 'cache', 'assets', name),
    )
    expect(folders.flatMap((folder) => readdirSync(folder))).toEqual([])
  })

  test('twice: at once, with all that was begun', async () => {
    const { begun, ended, ctrlC } = fetchOnTerminal()
    await begun

    ctrlC()
    await sleep(300)
    const asked = performance.now()
    ctrlC()
    const [code] = await ended

    expect(code).toBe(130)
    expect(performance.now() - asked).toBeLessThan(2_000)
    await expectNothingRuns()
  })
})
