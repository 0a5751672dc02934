import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Problem } from '../../src/errors.ts'

const separator = '\n---- answer\n'

export interface Transcript {
  name: string
  /** The first lines, that begin with `#:`, without it: circumstances of the case. */
  circumstances: string[]
  input: string
  expected: string
}

/** Cases as text files that anyone can review: what goes in, `---- answer`, what comes out. */
export function transcripts(folder: string): Transcript[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.txt'))
    .sort()
    .map((file) => {
      const [whole = '', expected = ''] = readFileSync(join(folder, file), 'utf8').split(separator)
      const lines = whole.split('\n')
      const rest = lines.findIndex((line) => !line.startsWith('#:'))
      return {
        name: file.replace(/\.txt$/, ''),
        circumstances: lines.slice(0, rest).map((line) => line.slice(2).trim()),
        input: lines.slice(rest).join('\n'),
        expected,
      }
    })
}

/** With UPDATE_TESTDATA=1 the answer is written into the file, to be read before it is committed. */
export function answerOf(folder: string, transcript: Transcript, actual: string): string {
  if (process.env.UPDATE_TESTDATA !== '1') return transcript.expected
  const head = transcript.circumstances.map((line) => `#: ${line}\n`).join('')
  writeFileSync(join(folder, `${transcript.name}.txt`), `${head}${transcript.input}${separator}${actual}`)
  return actual
}

export const problemLines = (problems: readonly Problem[]): string =>
  problems
    .map((problem) => {
      const place = problem.line === undefined ? '' : ` ${problem.line}:${problem.column}`
      const severity = problem.blocks ? `${problem.severity} (blocks ${problem.blocks})` : problem.severity
      return `${severity}${place}${problem.path ? ` ${problem.path}` : ''}: ${problem.message}\n    ${problem.remedy}\n`
    })
    .join('')
