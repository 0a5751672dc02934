/**
 * Libraries never print: they report events to one callback, which the command line renders,
 * the page streams and the journal keeps.
 */
export type ProgressEvent =
  | { type: 'step-started'; id: string; title: string }
  /** What a running step waits for, or how far it is; replaces the step's previous detail. */
  | { type: 'step-progress'; id: string; detail: string }
  | { type: 'step-finished'; id: string; detail?: string }
  | { type: 'step-failed'; id: string; error: string }
  | { type: 'note'; message: string }
  | { type: 'warning'; message: string }

export type Report = (event: ProgressEvent) => void

export const silent: Report = () => {}

/** Says a warning that is repeated while its cause lasts once in `everyMs`. */
export function withoutRepeats(report: Report, now: () => number, everyMs = 10 * 60_000): Report {
  const said = new Map<string, number>()
  return (event) => {
    if (event.type === 'warning') {
      for (const [message, at] of said) if (now() - at >= everyMs) said.delete(message)
      if (said.has(event.message)) return
      said.set(event.message, now())
    }
    report(event)
  }
}

/** Runs `action` as one step: reports its start, its end or its failure. */
export async function asStep<T>(
  report: Report,
  id: string,
  title: string,
  action: (progress: (detail: string) => void) => Promise<T>,
): Promise<T> {
  report({ type: 'step-started', id, title })
  try {
    const result = await action((detail) => report({ type: 'step-progress', id, detail }))
    report({ type: 'step-finished', id })
    return result
  } catch (error) {
    report({ type: 'step-failed', id, error: error instanceof Error ? error.message : String(error) })
    throw error
  }
}
