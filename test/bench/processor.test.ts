import { expect, it } from 'vitest'
import { processorSeconds } from '../../bench/processor.ts'

it('counts what processors worked, and neither waiting nor what the host took', () => {
  const stat = 'cpu  1000 20 300 99999 5000 40 60 777 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n'

  expect(processorSeconds(stat)).toBe(14.2)
})

it('grows on this machine', () => {
  expect(processorSeconds()).toBeGreaterThan(0)
})
