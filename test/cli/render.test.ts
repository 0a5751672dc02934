import { describe, expect, test } from 'vitest'
import type { Io } from '../../src/cli/io.ts'
import { createRenderer } from '../../src/cli/render.ts'
import { renderTable } from '../../src/cli/table.ts'

function screen(terminal: boolean, env: NodeJS.ProcessEnv = {}) {
  let text = ''
  let nowMs = 0
  const io = {
    out: () => {},
    err: (more: string) => {
      text += more
    },
    terminal,
    columns: 60,
    env,
  } as unknown as Io
  const renderer = createRenderer(io, () => nowMs)
  return {
    ...renderer,
    pass: (ms: number) => {
      nowMs += ms
    },
    text: () => text,
  }
}

describe('without a terminal', () => {
  test('says plain lines with elapsed seconds, and what a step waits for at most once a second', () => {
    const { report, pass, text } = screen(false)

    report({ type: 'step-started', id: 'a', title: 'Make network' })
    pass(50)
    report({ type: 'step-finished', id: 'a' })
    report({ type: 'step-started', id: 'b', title: 'Wait' })
    pass(1500)
    report({ type: 'step-progress', id: 'b', detail: 'no leader' })
    pass(100)
    report({ type: 'step-progress', id: 'b', detail: 'no nodes' })
    pass(1050)
    report({ type: 'step-progress', id: 'b', detail: 'no nodes' })
    report({ type: 'warning', message: 'slow' })
    report({ type: 'step-failed', id: 'b', error: 'too late' })

    expect(text()).toBe(
      [
        '   0.0s  Make network',
        '   0.1s  Wait',
        '   1.6s    Wait: no leader',
        '   2.7s    Wait: no nodes',
        '   2.7s  Warning: slow',
        '   2.7s  ✗ Wait: too late',
        '',
      ].join('\n'),
    )
  })
})

describe('on a terminal', () => {
  test('redraws running steps in place and never wraps', () => {
    const { report, pass, text, close } = screen(true, { NO_COLOR: '1' })

    report({ type: 'step-started', id: 'a', title: 'Wait' })
    pass(1000)
    report({ type: 'step-progress', id: 'a', detail: 'x'.repeat(200) })
    report({ type: 'note', message: 'hello' })
    report({ type: 'step-finished', id: 'a' })
    close()

    const lines = text().split('\n')
    expect(text()).toContain('\u001b[1A\u001b[J')
    expect(text()).toContain('✓ Wait 1.0s')
    expect(text()).not.toContain('\u001b[3')
    for (const line of lines) {
      expect(line.replaceAll('\u001b[1A\u001b[J', '').length).toBeLessThanOrEqual(60)
    }
  })
})

test('a table pads to its widest cell and has no spaces at the ends', () => {
  expect(
    renderTable(
      ['name', 'size'],
      [
        ['a-long-name', '1'],
        ['b', ''],
      ],
    ),
  ).toBe('NAME         SIZE\na-long-name  1\nb\n')
})
