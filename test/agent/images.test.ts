import { expect, test } from 'vitest'
import { untilImported } from '../../src/agent/images.ts'

test('an image that fails is tried again with growing pauses until it arrives, and holds up no other', async () => {
  const tried: string[] = []
  const said: (string | undefined)[] = []
  const pauses: number[] = []
  const importOne = async (name: string): Promise<void> => {
    tried.push(name)
    if (name === 'late.tar' && tried.length < 12) throw new Error('containerd is away')
  }

  await untilImported(
    ['late.tar', 'good.tar'],
    importOne,
    (reason) => said.push(reason),
    async (ms) => pauses.push(ms),
  )

  expect(tried.slice(0, 3)).toEqual(['late.tar', 'good.tar', 'late.tar'])
  expect(tried.filter((name) => name === 'good.tar')).toHaveLength(1)
  expect(tried).toHaveLength(12)
  expect(said[0]).toBe('late.tar: containerd is away')
  expect(said.at(-1)).toBeUndefined()
  expect(pauses.slice(0, 3)).toEqual([1_000, 2_000, 4_000])
  expect(Math.max(...pauses)).toBe(60_000)
})

test('without images nothing is said', async () => {
  const said: unknown[] = []

  await untilImported(
    [],
    async () => {},
    (reason) => said.push(reason),
  )

  expect(said).toEqual([])
})
