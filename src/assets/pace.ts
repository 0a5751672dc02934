const leastIntervalMs = 500

/**
 * Runs `action` with a progress callback that may be called as often as it likes: what was said
 * last is passed on at most twice a second, and again each second, with the time since the start.
 */
export async function paceProgress<T>(
  detail: (text: string) => void,
  action: (progress: (text: string) => void) => Promise<T>,
): Promise<T> {
  const started = Date.now()
  let latest = ''
  let saidAt = 0
  const say = () => {
    saidAt = Date.now()
    detail(`${latest} (${Math.round((saidAt - started) / 1000)} s)`)
  }
  const ticker = setInterval(() => {
    if (latest !== '' && Date.now() - saidAt >= leastIntervalMs) say()
  }, 1000)
  try {
    return await action((text) => {
      latest = text
      if (Date.now() - saidAt >= leastIntervalMs) say()
    })
  } finally {
    clearInterval(ticker)
  }
}
