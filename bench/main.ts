import { execFileSync } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { isErrno, messageOf } from '../src/errors.ts'
import { agent } from './agent.ts'
import { answers } from './answers.ts'
import { bringUp } from './bring-up.ts'
import { kills, killsWithVolumes } from './kills.ts'
import type { Measurement } from './measurement.ts'
import { openBench } from './open-bench.ts'
import {
  allHold,
  type BenchResults,
  broken,
  type MeasuredSection,
  renderResults,
  thisMachine,
} from './table.ts'

/** In this order, so that the idle cluster is measured before anything is killed. */
const measurements: readonly Measurement[] = [bringUp, agent, answers, kills, killsWithVolumes]

const usage = `Measures Holdfast and asserts the bounds: exit code 1 when one does not hold.

  npm run bench -- [--only NAME[,NAME…]] [--rounds N] [--idle SECONDS] [--folder DIR] [--out DIR] [--keep]

${measurements.map(({ name, title }) => `  ${name.padEnd(20)}${title}`).join('\n')}
`

const { values: flags } = parseArgs({
  options: {
    only: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    idle: { type: 'string', default: '120' },
    folder: { type: 'string', default: join(tmpdir(), 'holdfast-bench') },
    out: { type: 'string', default: fileURLToPath(new URL('.', import.meta.url)) },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

if (flags.help) process.stdout.write(usage)
else process.exitCode = await main()

async function main(): Promise<number> {
  const wanted = flags.only?.split(',') ?? measurements.map(({ name }) => name)
  const unknown = wanted.filter((name) => !measurements.some((measurement) => measurement.name === name))
  const rounds = Number(flags.rounds)
  if (unknown.length > 0 || !Number.isInteger(rounds) || rounds < 1) {
    process.stderr.write(unknown.length > 0 ? `There is no ${unknown.join(', ')}.\n\n${usage}` : usage)
    return 2
  }
  const bench = await openBench({ folder: flags.folder, rounds, idleSeconds: Number(flags.idle) })
  const file = join(flags.out, 'results.json')
  const results: BenchResults = { machine: thisMachine(), sections: flags.only ? await earlier(file) : [] }
  // Asked for before the results are written: they are no change to what is measured.
  const commit = describeCommit()
  try {
    for (const measurement of measurements.filter(({ name }) => wanted.includes(name))) {
      bench.say(`== ${measurement.title}`)
      const { name, title } = measurement
      const about = { name, title, at: new Date().toISOString(), commit, rounds }
      const section = await measurement.run(bench).then(
        (figures): MeasuredSection => ({ ...about, figures }),
        (error: unknown): MeasuredSection => ({ ...about, figures: [], error: messageOf(error) }),
      )
      const sections = [...results.sections.filter((known) => known.name !== name), section]
      results.sections = sections.sort((a, b) => placeOf(a.name) - placeOf(b.name))
      // After each one, so that a run that is cut short leaves what it has.
      await mkdir(flags.out, { recursive: true })
      await writeFile(file, `${JSON.stringify(results, null, 2)}\n`)
      await writeFile(join(flags.out, 'results.md'), renderResults(results))
    }
  } finally {
    if (!flags.keep) await bench.deleteCluster()
  }
  process.stdout.write(renderResults(results))
  for (const line of broken(results)) process.stderr.write(`Does not hold: ${line}\n`)
  return allHold(results) ? 0 : 1
}

function placeOf(name: string): number {
  return measurements.findIndex((measurement) => measurement.name === name)
}

/** With `--only` the other sections stay as they were measured before, each with its own date. */
async function earlier(file: string): Promise<MeasuredSection[]> {
  try {
    const found = JSON.parse(await readFile(file, 'utf8')) as BenchResults
    return found.sections
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return []
    throw error
  }
}

function describeCommit(): string {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8' }).trim()
  } catch {
    return 'unknown'
  }
}
