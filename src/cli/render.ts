import type { ProgressEvent, Report } from '../events.ts'
import { type Colours, coloursFor } from './colours.ts'
import type { Io } from './io.ts'

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
const FRAME_MS = 100
/** Without a terminal, how often a step that has taken so long tells where it is: a long build in few lines. */
const paceMs = (elapsedMs: number): number => Math.min(15_000, Math.max(1_000, elapsedMs / 15))

export interface Renderer {
  report: Report
  /** Clears what is still spinning; call it before anything else is printed and at the end. */
  close(): void
}

/** A spinner for each running step on a terminal, plain lines with elapsed seconds elsewhere. */
export function createRenderer(io: Io, now: () => number = Date.now): Renderer {
  if (io.env['HOLDFAST_QUIET']) return { report: () => {}, close: () => {} }
  return io.terminal ? terminalRenderer(io, now) : plainRenderer(io, now)
}

interface RunningStep {
  title: string
  detail?: string
  startedMs: number
  saidMs: number
}

function plainRenderer(io: Io, now: () => number): Renderer {
  const running = new Map<string, RunningStep>()
  const startedMs = now()
  const say = (text: string) => io.err(`${((now() - startedMs) / 1000).toFixed(1).padStart(6)}s  ${text}\n`)
  const report = (event: ProgressEvent) => {
    switch (event.type) {
      case 'step-started':
        running.set(event.id, { title: event.title, startedMs: now(), saidMs: 0 })
        return say(event.title)
      case 'step-progress': {
        const step = running.get(event.id)
        if (!step || step.detail === event.detail || now() - step.saidMs < paceMs(now() - step.startedMs))
          return
        step.detail = event.detail
        step.saidMs = now()
        return say(`  ${step.title}: ${event.detail}`)
      }
      case 'step-finished': {
        const step = running.get(event.id)
        running.delete(event.id)
        // A step that ended within the same breath needs no second line.
        if (!step || (now() - step.startedMs < 200 && !event.detail)) return
        return say(
          `✓ ${step.title}${event.detail ? `: ${event.detail}` : ''} (${elapsed(now() - step.startedMs)})`,
        )
      }
      case 'step-failed': {
        const title = running.get(event.id)?.title ?? event.id
        running.delete(event.id)
        return say(`✗ ${title}: ${event.error}`)
      }
      case 'note':
        return say(event.message)
      case 'warning':
        return say(`Warning: ${event.message}`)
    }
  }
  return { report, close: () => {} }
}

function terminalRenderer(io: Io, now: () => number): Renderer {
  const colours = coloursFor(io)
  const running = new Map<string, RunningStep>()
  let drawnLines = 0
  let timer: NodeJS.Timeout | undefined

  const clear = () => {
    // Up to the first drawn line, then clear to the end of the screen.
    if (drawnLines > 0) io.err(`\u001b[${drawnLines}A\u001b[J`)
    drawnLines = 0
  }
  const draw = () => {
    clear()
    const frame = FRAMES[Math.floor(now() / FRAME_MS) % FRAMES.length] ?? ''
    const lines = [...running.values()].map((step) => stepLine(step, frame, now(), io.columns, colours))
    if (lines.length > 0) io.err(`${lines.join('\n')}\n`)
    drawnLines = lines.length
  }
  const settle = (line: string) => {
    clear()
    io.err(`${line}\n`)
    draw()
  }
  const report = (event: ProgressEvent) => {
    switch (event.type) {
      case 'step-started':
        running.set(event.id, { title: event.title, startedMs: now(), saidMs: 0 })
        timer ??= setInterval(draw, FRAME_MS).unref()
        return draw()
      case 'step-progress': {
        const step = running.get(event.id)
        if (step) step.detail = event.detail
        return
      }
      case 'step-finished': {
        const step = running.get(event.id)
        running.delete(event.id)
        if (!step) return
        const detail = event.detail ? `: ${event.detail}` : ''
        return settle(
          `${colours.green('✓')} ${step.title}${detail} ${colours.dim(elapsed(now() - step.startedMs))}`,
        )
      }
      case 'step-failed': {
        const title = running.get(event.id)?.title ?? event.id
        running.delete(event.id)
        return settle(`${colours.red('✗')} ${title}: ${event.error}`)
      }
      case 'note':
        return settle(event.message)
      case 'warning':
        return settle(`${colours.yellow('Warning:')} ${event.message}`)
    }
  }
  const close = () => {
    clear()
    running.clear()
    clearInterval(timer)
    timer = undefined
  }
  return { report, close }
}

/** Cut to the terminal's width: a line that wraps could not be redrawn. */
function stepLine(
  step: RunningStep,
  frame: string,
  nowMs: number,
  columns: number,
  colours: Colours,
): string {
  const time = elapsed(nowMs - step.startedMs)
  const room = columns - time.length - 5
  const title = step.title.slice(0, room)
  const detail = step.detail ? `: ${step.detail}`.slice(0, Math.max(0, room - title.length)) : ''
  return `${colours.cyan(frame)} ${title}${colours.dim(detail)} ${colours.dim(time)}`
}

export function elapsed(ms: number): string {
  const seconds = ms / 1000
  if (seconds < 60) return `${seconds.toFixed(1)}s`
  return `${Math.floor(seconds / 60)}m${String(Math.floor(seconds % 60)).padStart(2, '0')}s`
}
