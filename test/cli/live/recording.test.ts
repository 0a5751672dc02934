import { describe, expect, it } from 'vitest'
import { framesOf } from '../../../src/cli/live/frames.ts'
import {
  type Recording,
  recordIo,
  recordingFromAsciicast,
  recordingToAsciicast,
} from '../../../src/cli/live/recording.ts'
import { recordingToSvg } from '../../../src/cli/live/recording-svg.ts'
import { terminalScreen } from '../../../src/cli/live/terminal-screen.ts'
import { createLiveView } from '../../../src/cli/live/view.ts'
import { beginMs, momentAt } from './moments.ts'

function recordedDrill(): Recording {
  const clock = { ms: beginMs }
  const drop = (_text: string): void => {}
  const silent = { out: drop, err: drop, terminal: false, columns: 80, env: { NO_COLOR: '1' } }
  const { io, recording } = recordIo(silent, { title: './holdfast demo', now: () => clock.ms })
  io.err('$ ./holdfast demo\n')
  const view = createLiveView(io, { title: 'holdfast demo', now: () => clock.ms })
  for (let afterMs = 400; afterMs < 60_000; afterMs += 400) {
    clock.ms = beginMs + afterMs
    const stage =
      afterMs < 5000 ? 'steady' : afterMs < 6000 ? 'just killed' : afterMs < 15_000 ? 'replacing' : 'whole'
    view.watch(momentAt(stage, afterMs))
  }
  view.watch(momentAt('done', 60_000))
  view.close()
  io.out('<3 & done\n')
  return recording
}

const text = (screen: ReturnType<typeof terminalScreen>): string[] =>
  screen.lines().map((line) => line.map((segment) => segment.text).join(''))

describe('recording', () => {
  it('is a terminal with colours for whoever is recorded, and goes through its file unchanged', () => {
    const recording = recordedDrill()

    const again = recordingFromAsciicast(recordingToAsciicast(recording))

    expect(recording.events.map(([, data]) => data).join('')).toContain('\u001b[32m')
    expect(again).toEqual(recording)
    expect(() => recordingFromAsciicast('{"version":1}')).toThrow(/asciicast v2/)
  })
})

describe('terminal screen', () => {
  it('shows what a terminal would: overwriting, erasing, moving up, scrolling', () => {
    const screen = terminalScreen(10, 3)

    screen.write('one\ntwo\nthree\nfour\n')
    expect(text(screen)).toEqual(['two', 'three', 'four'])
    screen.write('\u001b[2A\u001b[Jnew\rN\n')
    expect(text(screen)).toEqual(['one', 'two', 'New'])
    screen.write('0123456789abc')
    expect(text(screen)).toEqual(['two', 'New', '0123456789'])
  })

  it('keeps colours, and a weight under a colour', () => {
    const screen = terminalScreen(40, 3)

    screen.write('\u001b[1mbold \u001b[31mred\u001b[39m\u001b[22m \u001b[?25lplain\u001b[0m')

    expect(screen.lines()).toEqual([
      [
        { text: 'bold ', style: 'bold' },
        { text: 'red ', style: 'red' },
        { text: 'plain', style: 'plain' },
      ],
    ])
  })
})

describe('picture of a recording', () => {
  it('is the same every time, small, and well-formed', () => {
    const svg = recordingToSvg(recordedDrill())

    expect(recordingToSvg(recordedDrill())).toBe(svg)
    expect(Buffer.byteLength(svg)).toBeLessThan(150_000)
    expect(svg).toContain('&lt;3 &amp; done')
    expect(svg).toContain('times faster')
    const open = [...svg.matchAll(/<([a-z]+)(?:\s[^>]*[^/])?>/g)].map((match) => match[1]).sort()
    const closed = [...svg.matchAll(/<\/([a-z]+)>/g)].map((match) => match[1]).sort()
    expect(open).toEqual(closed)
  })

  it('has its caption at the foot', () => {
    const heightOf = (svg: string) => Number(/^<svg [^>]* height="(\d+)"/.exec(svg)?.[1])
    const [plain, captioned] = [
      recordingToSvg(recordedDrill()),
      recordingToSvg(recordedDrill(), 'warm & cold'),
    ]
    expect(heightOf(captioned)).toBe(heightOf(plain) + 20)
    expect(captioned).toContain('>warm &amp; cold</text>\n</svg>')
  })

  it('stands on the last frame where nothing moves, and steps through all of them where it does', () => {
    const svg = recordingToSvg(recordedDrill())
    const steps = [...svg.matchAll(/([\d.]+)%\{transform:translateX\(-(\d+)px\)\}/g)].map((match) => ({
      at: Number(match[1]),
      left: Number(match[2]),
    }))

    expect(steps.length).toBeGreaterThan(20)
    expect(steps.every((step, index) => index === 0 || step.at > (steps[index - 1]?.at ?? 0))).toBe(true)
    expect(svg).toContain(`class="f" transform="translate(-${steps.at(-1)?.left})"`)
    expect(svg).toContain('prefers-reduced-motion:reduce){.f{animation:none}}')
  })

  it('shortens pauses and plays faster what is too long', () => {
    const events: Recording['events'] = [
      [0, 'a\n'],
      [50, 'b\n'],
      [51, 'c\n'],
    ]
    const limits = { maxFrames: 10, maxSeconds: 30, maxPauseSeconds: 2, holdSeconds: 5 }
    const recording = { width: 10, height: 5, title: 't', events }

    expect(framesOf(recording, limits).frames.map((frame) => frame.at)).toEqual([0, 2, 3])
    expect(framesOf(recording, { ...limits, maxSeconds: 1.5 })).toMatchObject({ speed: 2, seconds: 6.5 })
    expect(framesOf(recording, { ...limits, maxFrames: 2 }).frames.at(-1)?.lines).toHaveLength(3)
  })
})
