/**
 * Milliseconds since the epoch that never jump: the wall clock when this process started plus a
 * monotonic count. Everything a drill measures uses this one clock.
 */
export const nowMs = (): number => performance.timeOrigin + performance.now()

/** Waits; `signal` ends the wait early without an error. */
export const sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const end = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, Math.max(0, ms))
    signal?.addEventListener('abort', end)
  })
