import { describe, expect, test } from 'vitest'
import { loadDeclaration } from '../../src/spec/load.ts'
import { answerOf, problemLines, transcripts } from './transcripts.ts'

const folder = new URL('./testdata/files', import.meta.url).pathname
const cases = transcripts(folder)

describe('a file is answered with all its problems', () => {
  test.each(cases)('$name', (transcript) => {
    const hostRoutes = transcript.circumstances.map((line) => {
      const [, cidr = '', device = ''] = /^host route (\S+) (\S+)$/.exec(line) ?? []
      return { cidr, device }
    })

    const { declaration, problems } = loadDeclaration(transcript.input, 'cluster.yaml', { hostRoutes })

    const { podCidr, serviceCidr } = declaration?.cluster.spec.networking ?? {}
    // Where the host has a say in them.
    const ranges = hostRoutes.length > 0 ? `: pods ${podCidr}, services ${serviceCidr}` : ''
    const answer = `${declaration ? `declared${ranges}` : 'refused'}\n${problemLines(problems)}`
    expect(answer).toBe(answerOf(folder, transcript, answer))
    expect(
      problems.every((problem) => problem.file === 'cluster.yaml' && problem.line && problem.column),
    ).toBe(true)
  })

  test('there are thirty bad files at least', () => {
    const refused = cases.filter((transcript) => transcript.expected.startsWith('refused'))

    expect(refused.length).toBeGreaterThanOrEqual(30)
  })
})
