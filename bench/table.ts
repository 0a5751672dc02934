import { cpus, release, totalmem } from 'node:os'
import { type Figure, holds, judgedValue, median } from './measurement.ts'

export interface MeasuredSection {
  name: string
  title: string
  /** RFC 3339. */
  at: string
  commit: string
  rounds: number
  figures: Figure[]
  /** Why it ended early, where it did. */
  error?: string
}

export interface BenchResults {
  machine: { cores: number; processor: string; memoryGb: number; kernel: string }
  sections: MeasuredSection[]
}

export const thisMachine = (): BenchResults['machine'] => ({
  cores: cpus().length,
  processor: cpus()[0]?.model.trim() ?? 'unknown',
  memoryGb: Math.round(totalmem() / 2 ** 30),
  kernel: release(),
})

export const allHold = (results: BenchResults): boolean =>
  results.sections.every((section) => !section.error && section.figures.every(holds))

/** A page for people: one table a measurement, every single value shown. */
export function renderResults(results: BenchResults): string {
  const { machine } = results
  const lines = [
    '# Measured',
    '',
    `On ${machine.cores} cores (${machine.processor}), ${machine.memoryGb} GB, Linux ${machine.kernel}.`,
    'Made by `npm run bench`, which fails when a bound does not hold; results.json has the same as data.',
    'Before each bring-up, ours and kubeadm’s, what is left to write is written and the disk rests for three seconds.',
    'A killed machine is not a power cut: the host keeps its page cache.',
  ]
  for (const { title, at, commit, figures, error } of results.sections) {
    lines.push('', `## ${title}`, '', `${at}, commit ${commit}.`, '')
    if (error) lines.push(`Ended early: ${error}`, '')
    if (figures.length === 0) continue
    lines.push('| what | median | worst | bound | holds | each |', '|---|---|---|---|---|---|')
    for (const figure of figures) lines.push(row(figure))
  }
  return `${lines.join('\n')}\n`
}

function row(figure: Figure): string {
  const show = (value: number): string => `${format(value)}${figure.unit ? ` ${figure.unit}` : ''}`
  const bound = figure.atMost === undefined ? '' : `${figure.judged} ≤ ${show(figure.atMost)}`
  const verdict = figure.atMost === undefined ? '' : holds(figure) ? 'yes' : '**no**'
  const worst = figure.values.length > 0 ? Math.max(...figure.values) : Number.NaN
  const each = figure.values.map(format).join(', ')
  return `| ${figure.name} | ${show(median(figure.values))} | ${show(worst)} | ${bound} | ${verdict} | ${each} |`
}

const format = (value: number): string => (Number.isNaN(value) ? '–' : String(Number(value.toFixed(2))))

/** The lines that do not hold, for the terminal. */
export const broken = (results: BenchResults): string[] =>
  results.sections.flatMap(({ name, figures, error }) => [
    ...(error ? [`${name}: ${error}`] : []),
    ...figures
      .filter((figure) => !holds(figure))
      .map((f) => `${name}: ${f.name}: ${f.judged} ${format(judgedValue(f))} ${f.unit}, bound ${f.atMost}`),
  ])
