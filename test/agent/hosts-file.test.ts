import { mkdtemp, readFile, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { covering, withSeats, writeHosts } from '../../src/agent/hosts-file.ts'

const seats = new Map([
  ['b', '10.0.0.2'],
  ['a', '10.0.0.1'],
])
const block =
  '# holdfast: members of etcd\n' +
  '10.0.0.1 a.main.demo.internal a.events.demo.internal\n' +
  '10.0.0.2 b.main.demo.internal b.events.demo.internal\n' +
  '# holdfast: end\n'

test('the seats’ names come behind what is there', () => {
  expect(withSeats('127.0.0.1 localhost\n', 'demo', seats)).toBe(`127.0.0.1 localhost\n${block}`)
})

test('a new address takes the old one’s place; lines before and behind stay', () => {
  const before = `127.0.0.1 localhost\n${block}10.9.9.9 registry\n`

  const after = withSeats(before, 'demo', new Map([['a', '10.0.0.7']]))

  expect(after).toContain('10.0.0.7 a.main.demo.internal')
  expect(after).not.toContain('10.0.0.1 ')
  expect(after).toContain('127.0.0.1 localhost\n')
  expect(after).toContain('10.9.9.9 registry\n')
})

test('a block without its end: nothing of the user’s is cut off, not the next time either', () => {
  const torn = '127.0.0.1 localhost\n# holdfast: members of etcd\n10.9.9.9 registry\n'

  const once = withSeats(torn, 'demo', seats)

  expect(once).toBe(`127.0.0.1 localhost\n10.9.9.9 registry\n${block}`)
  expect(withSeats(once, 'demo', seats)).toBe(once)
})

test('what is left of an older block behind the new one goes: it would name old addresses first', () => {
  const tail =
    '.9 b.main.demo.internal b.events.demo.internal\n' +
    '10.0.0.9 c.main.demo.internal c.events.demo.internal\n' +
    '# holdfast: end\n'

  expect(withSeats(`127.0.0.1 localhost\n${block}${tail}`, 'demo', seats)).toBe(
    `127.0.0.1 localhost\n${block}`,
  )
})

test('names of other clusters, and remarks, are others’', () => {
  const others = '10.0.0.9 a.main.demo2.internal\n# a.main.demo.internal is in the block\n'

  expect(withSeats(others, 'demo', seats)).toBe(`${others}${block}`)
})

test('killed before the file is cut to its new length, nothing of the old text is left', () => {
  const three = new Map([...seats, ['c', '10.0.0.30']])
  const old = `${withSeats('127.0.0.1 localhost\n', 'demo', three)}10.9.9.9 registry\n`
  const wanted = withSeats(old, 'demo', seats)

  const torn = covering(old, wanted)

  expect(Buffer.byteLength(torn)).toBe(Buffer.byteLength(old))
  expect(torn.trimEnd()).toBe(wanted.trimEnd())
  expect(withSeats(torn, 'demo', seats)).toBe(wanted)
  expect(covering('', wanted)).toBe(wanted)
})

test('doing it twice is doing it once, whatever else the file holds', () => {
  const line = fc.stringMatching(/^[0-9a-z.# ]{0,20}$/)

  fc.assert(
    fc.property(fc.array(line), (lines) => {
      const once = withSeats(lines.join('\n'), 'demo', seats)

      expect(withSeats(once, 'demo', seats)).toBe(once)
      for (const one of lines) expect(once).toContain(one)
    }),
    { numRuns: 50 },
  )
})

test('the file itself is written, not another put in its place', async () => {
  const path = join(await mkdtemp(join(tmpdir(), 'hosts-')), 'hosts')
  await writeFile(path, `127.0.0.1 localhost\n${'# a long line that goes\n'.repeat(20)}`)
  const before = await stat(path)

  await writeHosts('demo', seats, path)
  await writeHosts('demo', new Map([['a', '10.0.0.9']]), path)

  expect((await stat(path)).ino).toBe(before.ino)
  expect(await readFile(path, 'utf8')).toMatch(/10\.0\.0\.9 a\.main[^\n]*\n# holdfast: end\n$/)
})
