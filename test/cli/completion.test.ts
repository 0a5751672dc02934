import { execFileSync } from 'node:child_process'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type TestCli, testCli } from './support.ts'

let cli: TestCli
beforeEach(() => {
  cli = testCli()
})
afterEach(() => cli.remove())

/** What a real bash offers after these words. */
async function offered(words: string[]): Promise<string[]> {
  const { out } = await cli.run(['completion', 'bash'])
  const line = ['holdfast', ...words].map((word) => `'${word}'`).join(' ')
  const ask = `COMP_WORDS=(${line}); COMP_CWORD=${words.length}; _holdfast; printf '%s\\n' "\${COMPREPLY[@]}"`
  return execFileSync('bash', ['-c', `${out}\n${ask}`], { encoding: 'utf8' })
    .split('\n')
    .filter((word) => word !== '')
}

test('bash is offered verbs, what follows them, and their flags', async () => {
  expect(await offered(['va'])).toEqual(['validate'])
  expect(await offered(['create', 'cl'])).toEqual(['cluster'])
  expect(await offered(['create', 'cluster', 'try', '--mas'])).toEqual(
    expect.arrayContaining(['--masters', '--master-zones']),
  )
  expect(await offered(['drill', 'kill-master', 'try', '--l'])).toEqual(['--leader', '--lose-volumes'])
})

test('zsh and fish get a script with every verb', async () => {
  for (const shell of ['zsh', 'fish']) {
    const { out } = await cli.run(['completion', shell])
    for (const word of ['validate', 'kill-master', 'lose-volumes']) expect(out).toContain(word)
  }
})
