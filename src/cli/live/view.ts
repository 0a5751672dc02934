import { nowMs } from '../../drills/clock.ts'
import type { DrillMoment } from '../../drills/drill.ts'
import type { ProgressEvent, Report } from '../../events.ts'
import type { Io } from '../io.ts'
import { linesOf, toText } from './lines.ts'
import { newMemory, type Scene, type SceneMemory, sceneOf } from './scene.ts'
import { summaryOf } from './summary.ts'

/** Shows a drill while it runs: give `watch` and `report` to the drill, and close it afterwards. */
export interface LiveView {
  watch(moment: DrillMoment): void
  report: Report
  /** Draws what was last seen once more, and leaves it there. */
  close(): void
}

const redrawMs = 250
const plainEveryMs = 1000
const cellMs = 500

/**
 * One part of the screen that is drawn anew on a terminal; elsewhere a plain line when something
 * changed, at most one a second; with HOLDFAST_QUIET nothing. No colour with NO_COLOR (https://no-color.org).
 */
export function createLiveView(
  io: Pick<Io, 'err' | 'terminal' | 'columns' | 'env'>,
  options: { title: string; now?: () => number },
): LiveView {
  if (io.env['HOLDFAST_QUIET']) return { watch: () => {}, report: () => {}, close: () => {} }
  const now = options.now ?? nowMs
  const memory = newMemory(now())
  return io.terminal
    ? terminalView(io, options.title, memory, now)
    : plainView(io, options.title, memory, now)
}

type Output = Pick<Io, 'err' | 'columns' | 'env'>

function terminalView(io: Output, title: string, memory: SceneMemory, now: () => number): LiveView {
  const columns = Math.min(io.columns, 100)
  const colour = !io.env.NO_COLOR
  let last: DrillMoment | undefined
  let drawn = 0
  let timer: NodeJS.Timeout | undefined

  const draw = (settled = ''): void => {
    const up = drawn > 0 ? `\u001b[${drawn}A\u001b[J` : ''
    const lines = last
      ? linesOf(sceneOf(last, memory, now(), { title, cells: stripCells(columns), cellMs }))
      : []
    drawn = lines.length
    // One write a frame, so that no half-drawn frame is ever seen.
    io.err(up + settled + lines.map((line) => `${toText(line, { colour, columns })}\n`).join(''))
  }
  return {
    watch(moment) {
      last = moment
      timer ??= setInterval(draw, redrawMs).unref()
      draw()
    },
    report: (event) => {
      const said = sayEvent(event)
      if (said) draw(`${toText([{ text: said, style: 'plain' }], { colour: false, columns })}\n`)
    },
    close() {
      clearInterval(timer)
      timer = undefined
      if (last) {
        draw()
        io.err('\n')
      }
      drawn = 0
      last = undefined
    },
  }
}

/** As much as fits beside the words, at most half a minute. */
const stripCells = (columns: number): number => Math.max(10, Math.min(56, columns - 40))

function plainView(io: Output, title: string, memory: SceneMemory, now: () => number): LiveView {
  let said = { key: '', atMs: Number.NEGATIVE_INFINITY }
  let last: Scene | undefined
  const say = (text: string): void =>
    io.err(`${((now() - memory.startedMs) / 1000).toFixed(1).padStart(6)}s  ${text}\n`)
  const flush = (force: boolean): void => {
    if (!last) return
    const { key, text } = summaryOf(last)
    if (key === said.key || (!force && now() - said.atMs < plainEveryMs)) return
    said = { key, atMs: now() }
    say(text)
  }
  return {
    watch(moment) {
      last = sceneOf(moment, memory, now(), { title, cells: 1, cellMs })
      flush(false)
    },
    report: (event) => {
      const text = sayEvent(event)
      if (text) say(text)
    },
    close: () => flush(true),
  }
}

/** Only what stays true: what is under way is what the view itself shows. */
function sayEvent(event: ProgressEvent): string | undefined {
  switch (event.type) {
    case 'step-started':
      return `  ${event.title} …`
    case 'step-failed':
      return `✗ ${event.error}`
    case 'note':
      return `  ${event.message}`
    case 'warning':
      return `Warning: ${event.message}`
    default:
      return undefined
  }
}
