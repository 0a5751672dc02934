import type { Scene } from './scene.ts'

/** One line about a scene. `key` holds only what is worth a new line when it changes. */
export function summaryOf(scene: Scene): { key: string; text: string } {
  const etcd = (['main', 'events'] as const).map((name) => {
    const status = scene.etcd[name]
    return status
      ? `etcd ${name} ${status.healthy} of ${status.voters} voters`
      : `etcd ${name} does not answer`
  })
  const machines = scene.masters
    .filter((master) => master.state !== 'running')
    .map((master) => `${master.machine} ${master.state}`)
  const facts = [...etcd, quorumWords(scene.mayLose), ...machines]
  const { sent, failed, longestGapMs, lost } = scene.counters
  const counted = lost === undefined ? '' : `, ${lost} lost`
  const gap = `longest gap ${(longestGapMs / 1000).toFixed(2)} s`
  return {
    key: [scene.phase, ...facts, ...scene.masters.map((master) => master.machine), counted].join('|'),
    text: `${scene.phase}: ${facts.join(', ')}; ${sent} sent, ${failed} failed, ${gap}${counted}`,
  }
}

function quorumWords(mayLose: number | undefined): string {
  if (mayLose === undefined) return 'quorum not known'
  return mayLose < 0 ? 'quorum lost' : `may lose ${mayLose} more`
}
