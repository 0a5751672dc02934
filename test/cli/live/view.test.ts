import { describe, expect, it } from 'vitest'
import { linesOf, toText } from '../../../src/cli/live/lines.ts'
import { newMemory, sceneOf, stripOf } from '../../../src/cli/live/scene.ts'
import { createLiveView } from '../../../src/cli/live/view.ts'
import { beginMs, momentAt, writes } from './moments.ts'

const stages = [
  ['steady', 4000],
  ['just killed', 5600],
  ['replacing', 8000],
  ['whole', 15_000],
  ['done', 18_000],
] as const

function captured(terminal: boolean, env: NodeJS.ProcessEnv = {}) {
  const clock = { ms: beginMs }
  let text = ''
  const err = (data: string): void => {
    text += data
  }
  const io = { err, terminal, columns: 100, env }
  const view = createLiveView(io, { title: 'holdfast demo', now: () => clock.ms })
  return { clock, view, text: () => text }
}

describe('live view', () => {
  it('shows each stage of a drill as people read it', async () => {
    const memory = newMemory(beginMs)
    const options = { title: 'holdfast demo', cells: 40, cellMs: 500 }

    const shown = stages.map(([stage, afterMs]) => {
      const scene = sceneOf(momentAt(stage, afterMs), memory, beginMs + afterMs, options)
      const lines = linesOf(scene).map((line) => toText(line, { colour: false, columns: 100 }))
      return `=== ${stage}, ${afterMs} ms\n${lines.join('\n')}\n`
    })

    await expect(shown.join('\n')).toMatchFileSnapshot('transcripts/stages.txt')
  })

  it('says a line when something changed and nothing while only counters do, without a terminal', async () => {
    const { clock, view, text } = captured(false)

    for (const [stage, afterMs] of stages) {
      clock.ms = beginMs + afterMs
      view.report({ type: 'note', message: `now ${stage}` })
      for (let more = 0; more <= 2000; more += 400) {
        clock.ms = beginMs + afterMs + more
        view.watch(momentAt(stage, afterMs + more))
      }
    }
    view.close()

    await expect(text()).toMatchFileSnapshot('transcripts/plain.txt')
    expect(text()).not.toContain('\u001b')
  })

  it.each([true, false])('says nothing when it is to be quiet, on a terminal: %s', (terminal) => {
    const { view, text } = captured(terminal, { HOLDFAST_QUIET: '1' })

    view.report({ type: 'note', message: 'now' })
    view.watch(momentAt('steady', 4000))
    view.close()

    expect(text()).toBe('')
  })

  it('says at most one line a second, and the newest at the end', () => {
    const { clock, view, text } = captured(false)

    for (const [index, [stage]] of stages.entries()) {
      clock.ms = beginMs + index * 100
      view.watch(momentAt(stage, 20_000))
    }
    view.close()

    const lines = text().trimEnd().split('\n')
    expect(lines).toHaveLength(2)
    expect(lines[0]).toContain('warming up')
    expect(lines[1]).toContain('done')
    expect(lines[1]).toContain('0 lost')
  })

  it('draws over its own lines on a terminal and nothing else', () => {
    const { clock, view, text } = captured(true)

    view.watch(momentAt('steady', 4000))
    const first = text()
    clock.ms += 100
    view.report({ type: 'warning', message: 'a disk is slow' })
    view.close()

    const height = first.split('\n').length - 1
    expect(text().slice(first.length)).toMatch(`\u001b[${height}A\u001b[JWarning: a disk is slow\n`)
    expect(text().endsWith('\n')).toBe(true)
  })

  it('uses no colour with NO_COLOR', () => {
    const { view, text } = captured(true, { NO_COLOR: '1' })

    view.watch(momentAt('replacing', 8000))
    view.close()

    expect(
      text()
        .split('\u001b[')
        .slice(1)
        .every((part) => /^(\d+A|J)/.test(part)),
    ).toBe(true)
  })

  it('cuts lines at the width of the terminal', () => {
    const line = [
      { text: 'abcdef', style: 'bold' as const },
      { text: 'ghij', style: 'red' as const },
    ]

    expect(toText(line, { colour: false, columns: 8 })).toBe('abcdefgh')
    expect(toText(line, { colour: true, columns: 6 })).toBe('\u001b[1mabcdef\u001b[22m')
  })
})

describe('availability strip', () => {
  it('is the share of writes that succeeded, zero where none ended, unknown before the start', () => {
    const records = writes(3000).filter(
      (record) => record.endedMs < beginMs + 500 || record.endedMs > beginMs + 2000,
    )

    const strip = stripOf(records, [beginMs + 900], beginMs + 2500, 7, 500)

    expect(strip.cells).toEqual([undefined, undefined, 1, 0, 0, 0, 1])
    expect(strip.faults).toEqual([3])
  })

  it('shows part of a cell as a share', () => {
    const records = writes(1000).map((record, index) => (index % 2 ? record : { ...record, status: 503 }))

    expect(stripOf(records, [], beginMs + 1000, 2, 500).cells).toEqual([0.5, 0.5])
  })
})
