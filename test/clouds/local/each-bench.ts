import { afterEach, beforeEach, expect } from 'vitest'
import type { Machine } from '../../../src/clouds/cloud.ts'
import { silent } from '../../../src/events.ts'
import { type Bench, setUpBench, until } from './bench.ts'

/** The bench of the test that runs. */
export let bench: Bench

/** For a file of tests: a bench for each, whose world must not have been wronged. */
export function benchForEach(): void {
  beforeEach(() => {
    bench = setUpBench()
  })
  afterEach(async () => {
    expect(bench.world.violations).toEqual([])
    await bench.close()
  })
}

/** On cluster `c`, as the three below. */
export const carryOut = async (...steps: Parameters<Bench['cloud']['carryOut']>[1][]): Promise<void> => {
  for (const one of steps) await bench.cloud.carryOut('c', one, silent)
}

export const machines = async (): Promise<Machine[]> => (await bench.cloud.observe('c')).machines

export const running = async (count: number): Promise<Machine[]> => {
  const all = async () => (await machines()).every(({ state }) => state === 'running')
  await until(`${count} machines run`, async () => (await machines()).length === count && (await all()))
  return await machines()
}

export const only = async (): Promise<Machine> => {
  const [machine] = await running(1)
  if (!machine) throw new Error('no machine')
  return machine
}
