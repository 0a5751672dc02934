/**
 * A process that uses a file store, started by file-store-processes.test.ts.
 *   race FOLDER KEY ROUNDS  increments a counter by compare-and-swap, ROUNDS times
 *   write FOLDER KEY        overwrites without end, until it is killed; prints each revision that was acknowledged
 */
import { openFileStore } from '../../../src/store/file.ts'
import { StoreConflictError } from '../../../src/store/store.ts'

const [mode, folder = '', key = '', rounds = '0'] = process.argv.slice(2)
const store = openFileStore(folder)

if (mode === 'race') {
  for (let won = 0; won < Number(rounds); ) {
    const seen = await store.get(key)
    const next = String(Number(seen?.value ?? 0) + 1)
    try {
      await store.put(key, next, seen ? { ifRevision: seen.revision } : { ifAbsent: true })
      won += 1
    } catch (error) {
      if (!(error instanceof StoreConflictError)) throw error
    }
  }
} else {
  for (let round = 1; ; round += 1) {
    const revision = await store.put(key, `${process.pid} ${'x'.repeat(20_000)} ${round}`)
    process.stdout.write(`${revision}\n`)
    if (round % 5 === 0) await store.delete(`${key}-other`)
    else await store.put(`${key}-other`, String(round))
  }
}
