import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { hostPackages, installMissing, missingPackages } from '../../src/assets/host-packages.ts'
import { withLock } from '../../src/assets/lock.ts'
import type { ProgressEvent } from '../../src/events.ts'
import { scratch } from './scratch.ts'

const isRoot = process.getuid?.() === 0
const report = () => {}

/** An apt-get that notes what it is asked for, and then runs `script`. */
async function fakeApt(script: string) {
  const dir = await scratch()
  await writeFile(join(dir, 'apt-get'), `#!/bin/sh\necho "$@" >> ${dir}/log\n${script}\n`)
  await chmod(join(dir, 'apt-get'), 0o755)
  return {
    dir,
    lock: join(dir, 'lock'),
    env: { PATH: `${dir}:/usr/bin:/bin` },
    log: () => readFile(join(dir, 'log'), 'utf8'),
  }
}

test('what is there is not missing, what is not there is', async () => {
  const wanted = [
    { tool: 'sh', package: 'dash', reason: '' },
    { tool: 'no-such-tool', package: 'nothing', reason: '' },
    { tool: '/no/such/file', package: 'none', reason: '' },
  ]

  expect((await missingPackages(wanted)).map((entry) => entry.package)).toEqual(['nothing', 'none'])
})

test('a complete host is left alone', async () => {
  const { env, log, lock } = await fakeApt('exit 1')

  expect(
    await installMissing({ report, wanted: [{ tool: 'sh', package: 'dash', reason: '' }], env, lock }),
  ).toEqual([])
  await expect(log()).rejects.toThrow('ENOENT')
})

test.runIf(isRoot)('everything that is missing is installed at once, and it is said', async () => {
  const { dir, env, log, lock } = await fakeApt('true')
  const tools = [join(dir, 'one'), join(dir, 'two'), join(dir, 'three')]
  await writeFile(
    join(dir, 'apt-get'),
    `#!/bin/sh\necho "$@" >> ${dir}/log\ncase "$*" in *install*) touch ${tools.join(' ')};; esac\n`,
  )
  const events: ProgressEvent[] = []
  const wanted = tools.map((tool, index) => ({
    tool,
    package: index < 2 ? 'pack' : 'more',
    reason: 'a reason',
  }))

  const installed = await installMissing({ report: (event) => events.push(event), wanted, env, lock })

  expect(installed).toEqual(['more', 'pack'])
  expect((await log()).split('\n')).toEqual([
    expect.stringMatching(/^update /),
    expect.stringMatching(/^install .* -y --no-install-recommends more pack$/),
    '',
  ])
  expect(events[0]).toMatchObject({ type: 'step-started', title: 'Installing on this host: more, pack' })
})

test.runIf(isRoot)('one process installs at a time, and who waits says for whom', async () => {
  const { dir, env, log, lock } = await fakeApt('exit 1')
  const tool = join(dir, 'tool')
  const said: string[] = []
  const report = (event: ProgressEvent) => {
    if (event.type === 'step-progress') said.push(event.detail)
  }
  let installing: Promise<string[]> | undefined

  await withLock(lock, {}, async () => {
    installing = installMissing({ report, wanted: [{ tool, package: 'pack', reason: '' }], env, lock })
    await vi.waitUntil(() => said.length > 0, { timeout: 5_000 })
    await writeFile(tool, '')
  })

  expect(await installing).toEqual([])
  expect(said).toEqual([`waiting for process ${process.pid}`])
  await expect(log()).rejects.toThrow('ENOENT')
})

test.runIf(isRoot)('who is asked to end while waiting installs nothing', async () => {
  const { env, log, lock } = await fakeApt('true')
  const stop = new AbortController()
  const wanted = [{ tool: 'no-such-tool', package: 'pack', reason: '' }]
  const stopWhenWaiting = (event: ProgressEvent) => {
    if (event.type === 'step-progress') stop.abort()
  }

  await withLock(lock, {}, async () => {
    const waiting = installMissing({ report: stopWhenWaiting, stop: stop.signal, wanted, env, lock })
    await expect(waiting).rejects.toMatchObject({ code: 'interrupted', exitCode: 130 })
  })

  const late = installMissing({ report, stop: stop.signal, wanted, env, lock })
  await expect(late).rejects.toMatchObject({ code: 'interrupted' })
  await expect(log()).rejects.toThrow('ENOENT')
})

test.runIf(isRoot)('a failed installation says what to install', async () => {
  const { env, lock } = await fakeApt('echo "E: Unable to locate package pack"; exit 100')

  const installing = installMissing({
    report,
    wanted: [{ tool: 'no-such-tool', package: 'pack', reason: '' }],
    env,
    lock,
  })

  await expect(installing).rejects.toMatchObject({
    message: expect.stringContaining('Unable to locate package pack'),
    remedy: expect.stringContaining('Install pack'),
  })
})

test.runIf(isRoot)('what is missing after its installation is listed', async () => {
  const { env, lock } = await fakeApt('exit 0')

  const installing = installMissing({
    report,
    wanted: [{ tool: 'no-such-tool', package: 'pack', reason: 'x' }],
    env,
    lock,
  })

  await expect(installing).rejects.toMatchObject({
    code: 'host-packages-missing',
    message: expect.stringContaining('no-such-tool (x)'),
  })
})

test.runIf(isRoot)('an installation is not cut off by the end of the command that began it', async () => {
  const { dir, env, lock } = await fakeApt('true')
  const tool = join(dir, 'tool')
  const script = `case "$*" in *install*) touch ${dir}/begun; sleep 0.5; echo words; echo more && touch ${tool};; esac`
  await writeFile(join(dir, 'apt-get'), `#!/bin/sh\n${script}\n`)
  const source = join(import.meta.dirname, '..', '..', 'src', 'assets', 'host-packages.ts')
  await writeFile(
    join(dir, 'parent.ts'),
    `import { installMissing } from '${source}'
const wanted = [{ tool: '${tool}', package: 'pack', reason: '' }]
await installMissing({ report: () => {}, wanted, env: { PATH: '${env.PATH}' }, lock: '${lock}' })`,
  )
  const parent = spawn(process.execPath, [join(dir, 'parent.ts')], { stdio: 'ignore' })
  await vi.waitUntil(() => existsSync(join(dir, 'begun')), { timeout: 10_000 })

  parent.kill('SIGKILL')

  await vi.waitUntil(() => existsSync(tool), { timeout: 5_000 })
})

test('HAProxy is never installed on the host', () => {
  expect(hostPackages.map((entry) => entry.package)).not.toContain('haproxy')
})
