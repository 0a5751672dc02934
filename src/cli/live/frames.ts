import type { Line } from './lines.ts'
import type { Recording } from './recording.ts'
import { terminalScreen } from './terminal-screen.ts'

/** One picture of the terminal and from when on it is shown, in seconds of playing time. */
export interface Frame {
  at: number
  lines: Line[]
}

export interface Frames {
  frames: Frame[]
  seconds: number
  /** How many times faster than it happened; pauses are shortened besides. */
  speed: number
}

export interface FrameLimits {
  maxFrames: number
  maxSeconds: number
  /** A pause in which nothing changes is shown for at most so long. */
  maxPauseSeconds: number
  /** How long the last frame stays. */
  holdSeconds: number
}

/** The pictures of a recording, few enough for one file and short enough to watch. */
export function framesOf(recording: Recording, limits: FrameLimits): Frames {
  const all = withShortPauses(everyPicture(recording), limits.maxPauseSeconds)
  const lasted = all.at(-1)?.at ?? 0
  const speed = Math.max(1, lasted / limits.maxSeconds)
  const played = all.map((frame) => ({ ...frame, at: frame.at / speed }))
  const frames = thin(played, limits.maxFrames)
  return { frames, seconds: (frames.at(-1)?.at ?? 0) + limits.holdSeconds, speed }
}

function everyPicture(recording: Recording): Frame[] {
  const screen = terminalScreen(recording.width, recording.height)
  const frames: Frame[] = []
  let shown = ''
  for (const [at, data] of recording.events) {
    screen.write(data)
    const lines = screen.lines()
    const key = JSON.stringify(lines)
    if (key === shown) continue
    shown = key
    frames.push({ at, lines })
  }
  return frames
}

function withShortPauses(frames: readonly Frame[], maxPauseSeconds: number): Frame[] {
  let previous = frames[0]?.at ?? 0
  let at = 0
  return frames.map((frame) => {
    at += Math.min(frame.at - previous, maxPauseSeconds)
    previous = frame.at
    return { ...frame, at }
  })
}

/** Keeps the first, the last, and of the others the last in each of even slices of time. */
function thin(frames: readonly Frame[], maxFrames: number): Frame[] {
  const last = frames.at(-1)
  if (!last || frames.length <= maxFrames) return [...frames]
  const slice = last.at / (maxFrames - 1)
  const kept = new Map<number, Frame>()
  for (const frame of frames) kept.set(Math.floor(frame.at / slice), frame)
  kept.delete(Math.floor(last.at / slice))
  return [...kept.values(), last].slice(-maxFrames)
}
