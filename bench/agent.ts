import { z } from 'zod'
import type { Measurement } from './measurement.ts'

/**
 * Everything in the agent's unit: resident kilobytes of all its processes (pages they share count
 * twice), and clock ticks that they and their children that ended have used. Reads /proc alone, in
 * one shell without children of its own, so that looking costs next to nothing.
 */
export const usageScript = `
group=$(systemctl show -p ControlGroup --value holdfast-agent)
main=$(systemctl show -p MainPID --value holdfast-agent)
for base in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
  [ -e "$base$group/cgroup.procs" ] && file=$base$group/cgroup.procs && break
done
rss=0; ticks=0
for pid in $(cat "$file"); do
  [ -e /proc/$pid/stat ] || continue
  while read -r key value _; do [ "$key" = VmRSS: ] && rss=$((rss + value)); done </proc/$pid/status
  read -r line </proc/$pid/stat || continue
  set -- \${line##*) }
  shift 11
  ticks=$((ticks + $1 + $2))
  [ "$pid" = "$main" ] && ticks=$((ticks + $3 + $4))
done
echo "$main $rss $ticks"
`
const ticksPerSecond = 100

export interface AgentUsage {
  /** Of its first process, so that a restart is noticed. */
  pid: number
  rssMb: number
  cpuSeconds: number
}

/** What `usageScript` printed. */
export function parseUsage(printed: string): AgentUsage {
  const [pid = 0, kilobytes = 0, ticks = 0] = printed.trim().split(' ').map(Number)
  return { pid, rssMb: kilobytes / 1000, cpuSeconds: ticks / ticksPerSecond }
}

const sampleEverySeconds = 5
const machinesSchema = z.array(z.looseObject({ id: z.string(), role: z.string(), state: z.string() }))

/** The agent on every machine of an idle cluster: its whole control group with children. */
export const agent: Measurement = {
  name: 'agent',
  title: 'The agent of an idle cluster, its whole control group',
  async run(bench) {
    await bench.ensureCluster()
    const listed = await bench.holdfast(['get', 'machines', bench.cluster, '--output', 'json'])
    const machines = machinesSchema
      .parse(JSON.parse(listed.stdout))
      .filter((machine) => machine.state === 'running')
    const look = async (id: string): Promise<AgentUsage> =>
      parseUsage((await bench.holdfast(['shell', id, 'sh', '-c', usageScript])).stdout)
    // The cluster has just come up: caches fill and certificates are approved for a while.
    await new Promise((resolve) => setTimeout(resolve, 30_000))
    const memory: number[] = []
    const shares: number[] = []
    const before = await Promise.all(machines.map((machine) => look(machine.id)))
    const began = performance.now()
    const largest = before.map((sample) => sample.rssMb)
    let after = before
    while (performance.now() - began < bench.idleSeconds * 1000) {
      await new Promise((resolve) => setTimeout(resolve, sampleEverySeconds * 1000))
      after = []
      for (const [index, machine] of machines.entries()) {
        const sample = await look(machine.id)
        largest[index] = Math.max(largest[index] ?? 0, sample.rssMb)
        after.push(sample)
      }
    }
    const passed = (performance.now() - began) / 1000
    for (const [index, machine] of machines.entries()) {
      const [first, last] = [before[index], after[index]]
      if (!first || !last || first.pid === 0 || first.pid !== last.pid) {
        throw new Error(`the agent of ${machine.id} was restarted while it was watched`)
      }
      memory.push(largest[index] ?? Number.NaN)
      shares.push((100 * (last.cpuSeconds - first.cpuSeconds)) / passed)
    }
    return [
      {
        name: `resident memory, the most seen in ${bench.idleSeconds} s, each machine`,
        unit: 'MB',
        values: memory,
        judged: 'worst',
        atMost: 90,
      },
      { name: 'of one core, each machine', unit: '%', values: shares, judged: 'worst', atMost: 1 },
    ]
  },
}
