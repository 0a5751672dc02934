import type { Io } from '../io.ts'

/** What was written to a terminal and when: the asciicast v2 format (https://docs.asciinema.org/manual/asciicast/v2/). */
export interface Recording {
  width: number
  height: number
  title: string
  /** Seconds since the start, and what was written. */
  events: [seconds: number, data: string][]
}

type Screen = Pick<Io, 'out' | 'err' | 'terminal' | 'columns' | 'env'>

/**
 * The same `io`, recorded: whoever writes to it sees a terminal of a fixed size with colours.
 * @param passOn writes to the real `io` as well.
 */
export function recordIo<T extends Screen>(
  io: T,
  options: { title: string; width?: number; height?: number; now?: () => number; passOn?: boolean },
): { io: T; recording: Recording } {
  const now = options.now ?? (() => performance.now())
  const startedMs = now()
  const recording: Recording = {
    width: options.width ?? 96,
    height: options.height ?? 30,
    title: options.title,
    events: [],
  }
  const write =
    (original: (text: string) => void) =>
    (text: string): void => {
      recording.events.push([Math.round(now() - startedMs) / 1000, text])
      if (options.passOn) original(text)
    }
  const { NO_COLOR: _, ...env } = io.env
  return {
    io: { ...io, out: write(io.out), err: write(io.err), terminal: true, columns: recording.width, env },
    recording,
  }
}

export function recordingToAsciicast(recording: Recording): string {
  const { width, height, title, events } = recording
  const header = { version: 2, width, height, title, env: { TERM: 'xterm-256color' } }
  return `${[header, ...events.map(([at, data]) => [at, 'o', data])].map((line) => JSON.stringify(line)).join('\n')}\n`
}

/** @throws SyntaxError or TypeError on anything that is no asciicast v2. */
export function recordingFromAsciicast(text: string): Recording {
  const [first = '', ...rest] = text.split('\n').filter((line) => line.trim())
  const header: unknown = JSON.parse(first)
  if (typeof header !== 'object' || header === null || !('version' in header) || header.version !== 2) {
    throw new TypeError('not an asciicast v2 recording')
  }
  const number = (key: 'width' | 'height', otherwise: number): number =>
    key in header ? Number(header[key as keyof typeof header]) || otherwise : otherwise
  return {
    width: number('width', 96),
    height: number('height', 30),
    title: 'title' in header ? String(header.title) : '',
    events: rest.flatMap((line): Recording['events'] => {
      const event: unknown = JSON.parse(line)
      if (!Array.isArray(event) || event[1] !== 'o') return []
      return [[Number(event[0]), String(event[2])]]
    }),
  }
}
