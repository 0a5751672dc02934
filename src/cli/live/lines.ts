import type { EtcdName } from '../../spec/types.ts'
import type { Scene, SceneMaster, Strip } from './scene.ts'

export type Style = 'plain' | 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan'
export interface Segment {
  text: string
  style: Style
}
export type Line = Segment[]

const seg = (text: string, style: Style = 'plain'): Segment => ({ text, style })
const label = (text: string): Segment => seg(`  ${text.padEnd(11)}`, 'dim')

/** The scene as lines for people. Says everything in words and signs too, so that it works without colour. */
export function linesOf(scene: Scene): Line[] {
  return [
    [seg(scene.title, 'bold'), seg(`  ${scene.phase}`, 'cyan'), seg(`  ${clock(scene.elapsedMs)}`, 'dim')],
    [],
    stripLine(scene.strip),
    faultLine(scene.strip),
    etcdLine(scene),
    quorumLine(scene.mayLose),
    [],
    ...mastersLines(scene.masters),
    [],
    countersLine(scene.counters),
    scene.missing.length > 0
      ? [label('waits for'), seg(scene.missing.join('; '), 'yellow')]
      : [label('strength'), seg('full', 'green')],
  ]
}

export const clock = (ms: number): string => {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}

const age = (ms: number): string => {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  return seconds < 60
    ? `${seconds} s`
    : `${Math.floor(seconds / 60)} m ${String(seconds % 60).padStart(2, '0')} s`
}

function stripLine(strip: Strip): Line {
  const known = strip.cells.filter((share) => share !== undefined)
  const line: Line = [label('API')]
  for (const share of strip.cells) push(line, ...cell(share))
  const span = Math.round((strip.cells.length * strip.cellMs) / 1000)
  const words =
    known.length === 0
      ? 'not asked yet'
      : `${((100 * known.reduce((a, b) => a + b, 0)) / known.length).toFixed(1)} %`
  line.push(seg(`  ${words}`), seg(`  of the last ${span} s`, 'dim'))
  return line
}

function cell(share: number | undefined): [string, Style] {
  if (share === undefined) return ['·', 'dim']
  if (share >= 1) return ['▇', 'green']
  if (share >= 0.5) return ['▅', 'yellow']
  return share > 0 ? ['▂', 'yellow'] : ['×', 'red']
}

/** Neighbours of one style become one segment. */
function push(line: Line, text: string, style: Style): void {
  const last = line.at(-1)
  if (last?.style === style && line.length > 1) last.text += text
  else line.push(seg(text, style))
}

function faultLine(strip: Strip): Line {
  const newest = strip.faults.at(-1)
  if (newest === undefined) return []
  const marks = Array.from({ length: newest + 1 }, (_, index) => (strip.faults.includes(index) ? '▲' : ' '))
  return [label(''), seg(marks.join(''), 'red'), seg(' killed', 'red')]
}

function etcdLine({ etcd }: Scene): Line {
  const one = (name: EtcdName): Line => {
    const status = etcd[name]
    if (!status) return [seg(`${name} does not answer`, 'red')]
    const { voters, healthy } = status
    const dots = '●'.repeat(healthy) + '○'.repeat(Math.max(0, voters - healthy))
    return [
      seg(`${name} `),
      seg(dots, healthy === voters ? 'green' : 'yellow'),
      seg(` ${healthy} of ${voters} voters`),
    ]
  }
  return [label('etcd'), ...one('main'), seg('    '), ...one('events')]
}

function quorumLine(mayLose: number | undefined): Line {
  if (mayLose === undefined) return [label('quorum'), seg('not known right now', 'yellow')]
  if (mayLose < 0) return [label('quorum'), seg('lost: writes wait', 'red')]
  return [label('quorum'), seg(`may lose ${mayLose} more`, mayLose > 0 ? 'green' : 'yellow')]
}

const stateStyle: Record<SceneMaster['state'], Style> = {
  running: 'green',
  starting: 'yellow',
  stopped: 'red',
  killed: 'red',
}

function mastersLines(masters: readonly SceneMaster[]): Line[] {
  const wide = (pick: (master: SceneMaster) => string): number =>
    Math.max(0, ...masters.map((m) => pick(m).length)) + 2
  const named = ({ zone }: SceneMaster): string => (zone.includes('zone') ? zone : `zone ${zone}`)
  const zone = wide(named)
  const machine = wide((master) => master.machine)
  return masters.map((master) => [
    seg(`  ${named(master).padEnd(zone)}`, 'dim'),
    seg(master.machine.padEnd(machine)),
    seg(master.state.padEnd(10), stateStyle[master.state]),
    seg(`${age(master.forMs)}${master.state === 'killed' ? ' ago' : ''}`.padEnd(12), 'dim'),
    seg(master.leads.length > 0 ? `leads ${master.leads.join(' and ')}` : '', 'cyan'),
  ])
}

function countersLine({ sent, failed, longestGapMs, lost }: Scene['counters']): Line {
  return [
    label('writes'),
    seg(`${sent} sent`),
    seg(', '),
    seg(`${failed} failed`, failed > 0 ? 'yellow' : 'green'),
    seg(`, longest gap ${(longestGapMs / 1000).toFixed(2)} s, `),
    lost === undefined
      ? seg('lost: counted at the end', 'dim')
      : seg(`${lost} lost`, lost > 0 ? 'red' : 'green'),
  ]
}

const codes: Record<Style, readonly [number, number] | undefined> = {
  plain: undefined,
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
}

/** Cut at `columns`, because a line that wraps could not be drawn over. */
export function toText(line: Line, options: { colour: boolean; columns: number }): string {
  let room = options.columns
  let text = ''
  for (const segment of line) {
    const shown = segment.text.slice(0, room)
    room -= shown.length
    const code = options.colour && shown.trim() ? codes[segment.style] : undefined
    text += code ? `\u001b[${code[0]}m${shown}\u001b[${code[1]}m` : shown
  }
  return options.colour ? text : text.trimEnd()
}
