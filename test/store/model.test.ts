import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { openFileStore } from '../../src/store/file.ts'
import { openMemoryStore } from '../../src/store/memory.ts'
import type { StateStore } from '../../src/store/store.ts'

const key = fc.constantFrom('c/a', 'c/b/x', 'c/b/y', 'd/a')
const revision = fc.integer({ min: 1, max: 6 })
const step = fc.oneof(
  fc.record({ do: fc.constant('put' as const), key, value: fc.string() }),
  fc.record({ do: fc.constant('create' as const), key, value: fc.string() }),
  fc.record({ do: fc.constant('swap' as const), key, value: fc.string(), revision }),
  fc.record({ do: fc.constant('delete' as const), key }),
  fc.record({ do: fc.constant('delete-at' as const), key, revision }),
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** What a caller can see of one step: the answer, or the error's code. */
async function outcomeOf(store: StateStore, it: Step): Promise<unknown> {
  try {
    if (it.do === 'put') return await store.put(it.key, it.value)
    if (it.do === 'create') return await store.put(it.key, it.value, { ifAbsent: true })
    if (it.do === 'swap') return await store.put(it.key, it.value, { ifRevision: it.revision })
    return await store.delete(it.key, it.do === 'delete-at' ? { ifRevision: it.revision } : undefined)
  } catch (error) {
    return error instanceof Error && 'code' in error ? `${error.code}: ${error.message}` : error
  }
}

test('whatever is done in whatever order, file and memory answer the same', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const folder = mkdtempSync(join(tmpdir(), 'hf-store-'))
      try {
        const [file, memory] = [openFileStore(join(folder, 's')), openMemoryStore()]
        for (const it of steps) expect(await outcomeOf(file, it)).toEqual(await outcomeOf(memory, it))

        const keys = await memory.list('')
        // Opened anew: what counts is on the disk.
        const reopened = openFileStore(join(folder, 's'))
        expect(await reopened.list('')).toEqual(keys)
        for (const name of keys) expect(await reopened.get(name)).toEqual(await memory.get(name))
      } finally {
        rmSync(folder, { recursive: true })
      }
    }),
    { numRuns: 20 },
  )
})
