import type { Measurement } from './measurement.ts'

/** How long a user waits for an answer, the start script and Node's own start included. */
export const answers: Measurement = {
  name: 'answers',
  title: 'Answers of the command line',
  async run(bench) {
    await bench.ensureCluster()
    const commands = [['validate', 'cluster', bench.cluster], ['get', 'machines', bench.cluster], ['--help']]
    const figures = []
    for (const args of commands) {
      const values: number[] = []
      for (let round = 0; round < bench.rounds; round += 1) values.push((await bench.holdfast(args)).seconds)
      figures.push({
        name: `\`holdfast ${args.join(' ')}\``,
        unit: 's',
        values,
        judged: 'worst',
        atMost: 1,
      } as const)
    }
    return figures
  },
}
