import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { processLock, startTimeOf } from '../../src/store/process-lock.ts'

let root = ''
let folder = ''
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'hf-lock-'))
  folder = join(root, 'lock')
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

async function startHolder() {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'process-lock-holder.ts'), folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  return child
}

describe('process lock', () => {
  test('runs one at a time and is free afterwards, also after a failure', async () => {
    let inside = 0
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, i) =>
        processLock(folder).run(async () => {
          inside += 1
          expect(inside).toBe(1)
          await new Promise((resolve) => setTimeout(resolve, 1))
          inside -= 1
          if (i === 3) throw new Error('of the action')
          return i
        }),
      ),
    )

    expect(results.map((result) => result.status).filter((status) => status === 'rejected')).toHaveLength(1)
    expect(readdirSync(folder)).toEqual(['free'])
    expect(readdirSync(root)).toEqual(['lock'])
  })

  test('a live holder is waited for, and named when it takes too long', async () => {
    const holder = await startHolder()
    try {
      await expect(processLock(folder, { timeoutMs: 50 }).run(async () => {})).rejects.toMatchObject({
        code: 'lock-timeout',
        message: expect.stringContaining(`process ${holder.pid} `),
      })
    } finally {
      holder.kill('SIGKILL')
      await once(holder, 'exit')
    }
  })

  test('a folder that goes away under its holder and comes back is not locked for ever', async () => {
    const away = join(root, 'away')
    const lock = processLock(folder, { timeoutMs: 300 })
    await lock.run(async () => {})

    const lost = lock.run(async () => renameSync(folder, away))
    await expect(lost).rejects.toMatchObject({ code: 'ENOENT' })
    expect(readdirSync(away)).toEqual([expect.stringMatching(/^held\./)])
    renameSync(away, folder)

    expect(await lock.run(async () => 'again')).toBe('again')
    expect(readdirSync(folder)).toEqual(['free'])
  })

  test('and other processes get it, though its holder lives and does not ask again', async () => {
    const away = join(root, 'away')
    const lock = processLock(folder)
    await expect(lock.run(async () => renameSync(folder, away))).rejects.toMatchObject({ code: 'ENOENT' })
    renameSync(away, folder)

    const other = await startHolder()

    other.kill('SIGKILL')
    await once(other, 'exit')
  })

  test("a killed holder's lock is taken over at once", async () => {
    const holder = await startHolder()
    holder.kill('SIGKILL')
    await once(holder, 'exit')

    const taken = Array.from({ length: 5 }, (_, i) =>
      processLock(folder, { timeoutMs: 1_000 }).run(async () => i),
    )

    expect(await Promise.all(taken)).toEqual([0, 1, 2, 3, 4])
  })

  test('a holder from before a reboot, or whose pid has been given to another process, is dead', async () => {
    await processLock(folder).run(async () => {})
    const boot = 'f'.repeat(32)
    renameSync(
      join(folder, 'free'),
      join(folder, `held.${process.pid}.${await startTimeOf(process.pid)}.${boot}.1.n`),
    )
    await processLock(folder, { timeoutMs: 0 }).run(async () => {})

    const name = await processLock(folder).run(async () => readdirSync(folder)[0] ?? '')
    renameSync(join(folder, 'free'), join(folder, name.replace(/^held\.\d+\.\d+/, `held.${process.pid}.1`)))
    expect(await processLock(folder, { timeoutMs: 0 }).run(async () => 'taken')).toBe('taken')
  })

  test('a holder in another pid namespace is left alone while its lock is young', async () => {
    const name = await processLock(folder).run(async () => readdirSync(folder)[0] ?? '')
    const [held, pid, start, boot] = name.split('.')
    renameSync(join(folder, 'free'), join(folder, [held, Number(pid) + 1, start, boot, '1', 'n'].join('.')))

    await expect(processLock(folder, { timeoutMs: 20 }).run(async () => {})).rejects.toMatchObject({
      code: 'lock-timeout',
    })
  })
})
