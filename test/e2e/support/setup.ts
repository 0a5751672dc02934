import { existsSync } from 'node:fs'
import { afterEach } from 'vitest'
import { lastWords } from './last-words.ts'
import { stateFile } from './place.ts'

/** For each file of the cluster's tests: what failed is looked at while it still stands. */
afterEach(async ({ task }) => {
  if (task.result?.state !== 'fail' || !existsSync(stateFile)) return
  console.log(await lastWords().catch((error: unknown) => `no last words: ${String(error)}`))
})
