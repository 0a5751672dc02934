import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Problem } from '../../src/errors.ts'
import { checkMachine } from '../../src/operations/prepare.ts'
import { declare, type TestOperation, testOperation } from './support.ts'

let setup: TestOperation
beforeEach(() => {
  setup = testOperation()
})
afterEach(() => setup.remove())

const memory: Problem = {
  severity: 'warning',
  path: 'host.memory',
  message: '4 machines need 3.0 GiB of memory, 1.0 GiB is available now',
  remedy: 'End other programs, or use fewer machines.',
}
const fuse: Problem = { severity: 'warning', path: 'host.fuse', message: '/dev/fuse is missing' }
const user: Problem = { severity: 'error', path: 'host.user', message: 'It takes root', remedy: 'Use sudo.' }

/** What the check of this machine ends with when it finds this. */
const check = (problems: Problem[]) => {
  setup.cloud.check = async () => problems
  return checkMachine(setup.operation, declare()).catch((error: unknown) => error)
}

test('warnings alone are reported, each with what to do', async () => {
  expect(await check([memory, fuse])).toBeUndefined()

  expect(setup.events).toEqual([
    { type: 'warning', message: `${memory.message}. ${memory.remedy}` },
    { type: 'warning', message: fuse.message },
  ])
})

test('with an error they are in its list, and nowhere else', async () => {
  expect(await check([memory, user])).toMatchObject({ code: 'invalid-input', problems: [memory, user] })

  expect(setup.events).toEqual([])
})
