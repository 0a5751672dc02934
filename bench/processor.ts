import { readFileSync } from 'node:fs'

/**
 * Seconds that this host's processors have worked since its boot, all together. On a host that shares its processors
 * the same work takes more of them in a busy hour: it tells a slow hour from a slow program.
 */
export function processorSeconds(stat = readFileSync('/proc/stat', 'utf8')): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = (stat.split('\n')[0] ?? '')
    .split(/\s+/)
    .slice(1)
    .map(Number)
  return (user + nice + system + irq + softirq) / ticksPerSecond
}

/** `USER_HZ`, which Linux shows to programs on every architecture that this runs on. */
const ticksPerSecond = 100
