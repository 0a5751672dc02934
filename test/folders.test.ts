import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeFolder } from '../src/folders.ts'

const place = () => join(tmpdir(), `hf-folders-${process.pid}-${Math.random().toString(36).slice(2)}`)

test('what is missing is made, private, and the uppermost new one is returned', () => {
  const top = place()
  expect(makeFolder(join(top, 'a', 'b'))).toBe(top)
  expect(statSync(join(top, 'a', 'b')).mode & 0o777).toBe(0o700)
  expect(makeFolder(join(top, 'a', 'b'))).toBeUndefined()
  expect(makeFolder(join(top, 'a', 'c'))).toBe(join(top, 'a', 'c'))
})

test('a file in the way is an error', () => {
  const top = place()
  mkdirSync(top)
  writeFileSync(join(top, 'file'), '')
  expect(() => makeFolder(join(top, 'file', 'x'))).toThrow(/EEXIST.*file'/)
})

test('below /proc nobody makes a folder, and that is said at once', () => {
  expect(() => makeFolder('/proc/holdfast/store')).toThrow(/ENOENT.*'\/proc\/holdfast'/)
})
