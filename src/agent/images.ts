import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../errors.ts'
import { command } from './command.ts'
import { type AgentContext, folders } from './context.ts'
import { readIfThere, writeDurably } from './files.ts'

const done = join(folders.state, 'images.json')
const firstPauseMs = 1_000
const longestPauseMs = 60_000

/** Imports the user's image archives that were loaded before this machine was there. Each once. */
export async function loadImages(context: AgentContext): Promise<void> {
  const imported = new Set(JSON.parse((await readIfThere(done)) ?? '[]') as string[])
  const archives = (await readdir(folders.images).catch(() => [])).filter((name) => name.endsWith('.tar'))
  await untilImported(
    archives.filter((name) => !imported.has(name)),
    async (name) => {
      const args = ['--namespace', 'k8s.io', 'images', 'import', join(folders.images, name)]
      await command('ctr', args, { timeoutMs: 300_000 })
      imported.add(name)
      await writeDurably(done, JSON.stringify([...imported]))
    },
    (reason) => context.say('images', reason),
  )
}

/** Without end, because a machine without egress gets an image from nowhere else; one that fails holds up no other. */
export async function untilImported(
  names: readonly string[],
  importOne: (name: string) => Promise<void>,
  say: (reason: string | undefined) => void,
  pause: (ms: number) => Promise<unknown> = sleep,
): Promise<void> {
  let left = names
  for (let ms = firstPauseMs; left.length > 0; ms = Math.min(2 * ms, longestPauseMs)) {
    const failed = new Map<string, string>()
    for (const name of left) {
      await importOne(name).catch((error: unknown) => failed.set(name, messageOf(error)))
    }
    left = [...failed.keys()]
    say(left.length > 0 ? [...failed].map(([name, why]) => `${name}: ${why}`).join('; ') : undefined)
    if (left.length > 0) await pause(ms)
  }
}
