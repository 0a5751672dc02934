import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../errors.ts'
import { command } from './command.ts'
import { type AgentContext, folders } from './context.ts'
import { readIfThere, writeDurably } from './files.ts'

const done = join(folders.state, 'images.json')
const attempts = 5
const pauseMs = 2_000

/** Imports the user's image archives that were loaded before this machine was there. Each once. */
export async function loadImages(context: AgentContext): Promise<void> {
  const imported = new Set(JSON.parse((await readIfThere(done)) ?? '[]') as string[])
  const archives = (await readdir(folders.images).catch(() => [])).filter((name) => name.endsWith('.tar'))
  for (const name of archives.filter((archive) => !imported.has(archive))) {
    for (let attempt = 1; attempt <= attempts; attempt++) {
      try {
        await command('ctr', ['--namespace', 'k8s.io', 'images', 'import', join(folders.images, name)], {
          timeoutMs: 300_000,
        })
        imported.add(name)
        await writeDurably(done, JSON.stringify([...imported]))
        context.say('images', undefined)
        break
      } catch (error) {
        context.say('images', `${name}: ${messageOf(error)}`)
        await sleep(pauseMs)
      }
    }
  }
}
