import { mkdtemp, readFile, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { withSeats, writeHosts } from '../../src/agent/hosts-file.ts'

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

test('a block without its end is left alone: nothing of the user’s is cut off', () => {
  const torn = '127.0.0.1 localhost\n# holdfast: members of etcd\n10.9.9.9 registry\n'

  expect(withSeats(torn, 'demo', seats)).toContain('10.9.9.9 registry\n')
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
