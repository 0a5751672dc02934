import { setTimeout as sleep } from 'node:timers/promises'

/** Repeats until it no longer throws; at the end the last reason is the error. */
export async function eventually<T>(
  what: string,
  timeoutMs: number,
  look: () => Promise<T>,
  everyMs = 500,
): Promise<T> {
  const until = performance.now() + timeoutMs
  for (;;) {
    try {
      return await look()
    } catch (error) {
      if (performance.now() > until) {
        const reason = error instanceof Error ? error.message : String(error)
        throw new Error(`${what}: not within ${timeoutMs / 1000} s; the last reason: ${reason}`, {
          cause: error,
        })
      }
      await sleep(everyMs)
    }
  }
}

/** What must stay so: looks again and again for the whole time, and throws at the first that is not so. */
export async function throughout(forMs: number, look: () => Promise<void>, everyMs = 500): Promise<void> {
  const until = performance.now() + forMs
  do {
    await look()
    await sleep(everyMs)
  } while (performance.now() < until)
}

/** What must be there. */
export function defined<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`there is no ${what}`)
  return value
}
