import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { runCommand } from '../../src/assets/command.ts'
import { obtain, type Recipe } from '../../src/assets/recipe.ts'
import { scratch } from './scratch.ts'

const sources = join(import.meta.dirname, '..', '..', 'src')
const isAlive = async (pid: number) => {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  // A zombie has ended; whoever adopted it has not looked yet.
  return stat !== '' && !/\) [ZX] /.test(stat)
}

/** A program whose child sleeps; both note their process ids, and the child may ignore SIGTERM. */
const sleeper = (trap = '') =>
  `sh -c '${trap} echo $$ >>"$1"; while :; do sleep 0.1; done' child "$1" & echo $$ >>"$1"; wait`

async function pidsIn(file: string): Promise<number[]> {
  for (;;) {
    const pids = existsSync(file)
      ? (await readFile(file, 'utf8')).split('\n').filter(Boolean).map(Number)
      : []
    if (pids.length === 2) return pids
    await sleep(20)
  }
}

/** The only child of a process. */
async function groupOf(pid: number | undefined): Promise<number> {
  return Number((await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ')[0])
}

async function untilDead(pids: readonly number[], withinMs: number): Promise<boolean> {
  for (const deadline = Date.now() + withinMs; Date.now() < deadline; await sleep(50)) {
    const alive = await Promise.all(pids.map(isAlive))
    if (!alive.includes(true)) return true
  }
  return false
}

describe('a recipe that takes long', () => {
  /** Its parts run as they would for a user without root, whose processes are seen by their ids. */
  const slowRecipe = (file: string, trap?: string): Recipe => ({
    name: 'slow',
    version: '1',
    title: 'Slow thing 1',
    ingredients: [],
    build: async (dir, { stop }) => {
      await writeFile(join(dir, 'half'), '')
      await runCommand('sh', ['-c', sleeper(trap), 'sh', file], { timeoutMs: 60_000, stop, killAfterMs: 300 })
    },
  })

  test.each([['that end when they are told'], ['whatever they do about it', 'trap "" TERM;']])(
    'is ended with all its processes %s',
    async (_how, trap?: string) => {
      const cache = await scratch()
      const file = join(await scratch(), 'pids')
      const stop = new AbortController()
      const context = {
        cache,
        report: () => {},
        env: process.env,
        sites: async () => ({}),
        stop: stop.signal,
      }
      const obtaining = obtain(slowRecipe(file, trap), context).catch((error: unknown) => error)
      const pids = await pidsIn(file)

      stop.abort()

      expect(await obtaining).toMatchObject({
        code: 'interrupted',
        exitCode: 130,
        message: expect.stringContaining('Slow thing 1 is begun again next time'),
        remedy: 'Go on with the same command.',
      })
      expect(await untilDead(pids, 3_000)).toBe(true)
      expect(await readdir(join(cache, 'assets', 'slow'))).toEqual([])
    },
  )

  test('is not begun once the user has asked to stop', async () => {
    const file = join(await scratch(), 'pids')
    const context = { cache: await scratch(), report: () => {}, env: process.env, sites: async () => ({}) }

    const obtaining = obtain(slowRecipe(file), { ...context, stop: AbortSignal.abort() })

    await expect(obtaining).rejects.toMatchObject({ code: 'interrupted' })
    expect(existsSync(file)).toBe(false)
  })
})

test('a full disk has a remedy of its own, whatever the command', async () => {
  const options = { timeoutMs: 10_000, remedy: 'Install dd.' }
  const write = (to: string) => runCommand('dd', ['if=/dev/zero', `of=${to}`, 'count=1'], options)

  await expect(write('/dev/full')).rejects.toMatchObject({
    code: 'asset-command-failed',
    remedy: expect.stringMatching(/^A disk is full: make room/),
  })
  await expect(write('/dev/full/x')).rejects.toMatchObject({ remedy: 'Install dd.' })
})

describe('a command of a process that ends', () => {
  /** A process of its own that runs the sleeper as a command; what `body` says comes after a first Ctrl-C. */
  async function parent(options: string, body = '') {
    const dir = await scratch()
    const [file, script] = [join(dir, 'pids'), join(dir, 'parent.ts')]
    const text = `import { runCommand } from '${sources}/assets/command.ts'
process.on('SIGINT', () => { ${body} })
await runCommand('sh', ['-c', ${JSON.stringify(sleeper())}, 'sh', '${file}'], { timeoutMs: 60_000, ${options} })
`
    await writeFile(script, text)
    return { file, script, dir }
  }

  test('at once, as at the second Ctrl-C, ends with it', async () => {
    const { file, script } = await parent('', 'process.exit(130)')
    const child = spawn(process.execPath, [script], { stdio: 'ignore' })
    const pids = await pidsIn(file)

    child.kill('SIGINT')
    expect(await once(child, 'exit')).toEqual([130, null])

    expect(await untilDead(pids, 3_000)).toBe(true)
  })

  test('ends with it also where nothing is left to end it', async () => {
    const { file, script } = await parent('dieWithParent: true')
    const child = spawn(process.execPath, [script], { stdio: 'ignore' })
    // For root they have ids of a namespace of their own: that they run is seen by what they write.
    await pidsIn(file)
    const group = await groupOf(child.pid)
    expect(await isAlive(group)).toBe(true)

    child.kill('SIGKILL')

    expect(await untilDead([group], 3_000)).toBe(true)
  })

  test('goes on where it must not be killed half way', async () => {
    const { file, script } = await parent('outlives: true', 'process.exit(130)')
    const child = spawn(process.execPath, [script], { stdio: 'ignore' })
    const pids = await pidsIn(file)

    child.kill('SIGINT')
    await once(child, 'exit')
    await sleep(200)

    expect(await Promise.all(pids.map(isAlive))).toEqual([true, true])
    for (const pid of pids) process.kill(pid, 'SIGKILL')
  })

  test('is not ended by a Ctrl-C of the terminal, which is for its parent', async ({ skip }) => {
    if (!existsSync('/usr/bin/script')) return skip()
    const { file, script, dir } = await parent('')
    const keys = `while [ "$(wc -l <${file} 2>/dev/null || echo 0)" -lt 2 ]; do sleep 0.1; done; sleep 0.3; printf '\\003'; sleep 1`
    const command = `(${keys}) | script -qec '${process.execPath} ${script}' ${join(dir, 'typed')} >/dev/null`
    const typing = promisify(execFile)('sh', ['-c', command]).catch(() => {})
    const pids = await pidsIn(file)
    await sleep(800)

    expect(await Promise.all(pids.map(isAlive))).toEqual([true, true])
    for (const pid of pids) process.kill(pid, 'SIGKILL')
    await typing
  })
})
