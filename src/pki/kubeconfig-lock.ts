import { randomBytes } from 'node:crypto'
import { link, open, readFile, rename, unlink } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { HoldfastError, isErrno } from '../errors.ts'
import { startTimeOf } from '../store/process-lock.ts'

/**
 * The lock that kubectl and kind take: `FILE.lock`, made exclusively, removed afterwards. Theirs is
 * empty and stays when they are killed; ours says whose it is, so that the next of us removes it.
 * @throws HoldfastError `kubeconfig-locked` after `timeoutMs` (5,000).
 */
export async function withKubeconfigLock<T>(
  file: string,
  action: () => Promise<T>,
  timeoutMs = 5_000,
): Promise<T> {
  const path = `${file}.lock`
  const mine = `holdfast ${process.pid} ${(await startTimeOf(process.pid)) ?? 0} ${randomBytes(6).toString('hex')}\n`
  const until = performance.now() + timeoutMs
  while (!(await tryTake(path, mine))) {
    if (await removeIfDead(path)) continue
    if (performance.now() > until) {
      throw new HoldfastError('kubeconfig-locked', `${path} has been there for ${timeoutMs} ms`, {
        remedy: `If no kubectl or kind is changing ${file} now, remove ${path} and try again.`,
      })
    }
    await sleep(20)
  }
  try {
    return await action()
  } finally {
    await unlink(path)
  }
}

/** The lock appears with its content in one step, so that nobody reads it half written. */
async function tryTake(path: string, content: string): Promise<boolean> {
  const draft = `${path}.${randomBytes(6).toString('hex')}`
  const handle = await open(draft, 'wx', 0o600)
  try {
    await handle.writeFile(content)
    await link(draft, path)
    return true
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false
    throw error
  } finally {
    await handle.close()
    await unlink(draft)
  }
}

async function removeIfDead(path: string): Promise<boolean> {
  const content = await readFile(path, 'utf8').catch(() => undefined)
  if (content === undefined) return true
  const [, pid, start] = /^holdfast (\d+) (\d+) /.exec(content) ?? []
  if (pid === undefined || (await startTimeOf(Number(pid))) === start) return false
  const aside = `${path}.${randomBytes(6).toString('hex')}`
  try {
    await rename(path, aside)
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return true
    throw error
  }
  // Somebody else may have removed the dead one's and taken it in between: then it goes back.
  if ((await readFile(aside, 'utf8')) !== content) await link(aside, path).catch(() => {})
  await unlink(aside)
  return true
}
