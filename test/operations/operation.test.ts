import { writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { openOperation } from '../../src/operations/operation.ts'
import { testOperation } from './support.ts'

test('an agent that could not be bundled after Ctrl-C is an interruption', async () => {
  const setup = testOperation()
  writeFileSync(setup.operation.home.cache, 'no folder')
  const open = (stop: AbortSignal) => openOperation({ ...setup.operation, stop })

  await expect(open(AbortSignal.abort()).agent()).rejects.toMatchObject({
    code: 'interrupted',
    exitCode: 130,
  })
  await expect(open(new AbortController().signal).agent()).rejects.toThrow(/EEXIST|ENOTDIR/)
  setup.remove()
})
