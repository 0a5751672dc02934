import { type FrameLimits, framesOf } from './frames.ts'
import type { Line, Style } from './lines.ts'
import type { Recording } from './recording.ts'

const cellWidth = 8.4
const lineHeight = 20
const barWidth = 7
const margin = 18
const barHeight = 36
/** A README's picture must load at once. */
const maxBytes = 140_000
const limits: FrameLimits = { maxFrames: 96, maxSeconds: 30, maxPauseSeconds: 2, holdSeconds: 6 }

/** One letter a class, because they are repeated thousands of times. */
const classes: Record<Style, string> = {
  plain: '',
  bold: 'b',
  dim: 'd',
  red: 'r',
  green: 'g',
  yellow: 'y',
  cyan: 'c',
}
const fills = { b: '#f0f6fc', d: '#8b949e', r: '#ff7b72', g: '#3fb950', y: '#e3b341', c: '#58a6ff' }
/** Block characters are drawn as shapes: fonts differ in their height. Share of the line's height. */
const blocks: Record<string, number> = { '▇': 0.78, '▅': 0.5, '▂': 0.2 }

/**
 * An animated picture of a recording: all frames lie side by side and one animation steps through
 * them. Still readers (printers, `prefers-reduced-motion`, tools that do not animate) see the last
 * frame. The same recording always gives the same bytes. `caption`: a line at the foot.
 */
export function recordingToSvg(recording: Recording, caption?: string): string {
  let svg = ''
  for (let maxFrames = limits.maxFrames; maxFrames >= 10; maxFrames = Math.floor(maxFrames * 0.8)) {
    svg = draw(recording, { ...limits, maxFrames }, caption)
    if (Buffer.byteLength(svg) <= maxBytes) break
  }
  return svg
}

function draw(recording: Recording, within: FrameLimits, caption: string | undefined): string {
  const { frames, seconds, speed } = framesOf(recording, within)
  const rows = Math.max(1, ...frames.map((frame) => frame.lines.length))
  const width = Math.ceil(recording.width * cellWidth + 2 * margin)
  const screenHeight = rows * lineHeight + barHeight + margin
  const height = screenHeight + (caption === undefined ? 0 : lineHeight)
  const lines = new Map<string, string>()
  const drawn = frames.map((frame, index) => {
    const uses = frame.lines.flatMap((line, row) => {
      if (line.length === 0) return []
      const shape = drawLine(line)
      const id = lines.get(shape) ?? `l${lines.size.toString(36)}`
      lines.set(shape, id)
      return [`<use href="#${id}" y="${row * lineHeight}"/>`]
    })
    return `<g transform="translate(${index * width})">${uses.join('')}</g>`
  })
  const defs = [...lines].map(([shape, id]) => `<g id="${id}">${shape}</g>`)
  const steps = frames.map(
    ({ at }, index) => `${round((100 * at) / seconds, 3)}%{transform:translateX(-${index * width}px)}`,
  )
  const title = speed > 1.05 ? `${recording.title} · ${round(speed, 1)} times faster` : recording.title
  const still = -Math.max(0, frames.length - 1) * width
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" xml:space="preserve">`,
    `<title>${escapeXml(recording.title)}</title>`,
    `<style>text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#c9d1d9;white-space:pre}`,
    ...Object.entries(fills).map(([name, fill]) => `.${name}{fill:${fill}}.s${name}{stroke:${fill}}`),
    `path{stroke-dasharray:${barWidth} ${round(cellWidth - barWidth, 1)}}`,
    `text .b,.b{font-weight:700}`,
    `.f{animation:f ${round(seconds, 2)}s step-end infinite}`,
    `@keyframes f{${steps.join('')}}`,
    `@media(prefers-reduced-motion:reduce){.f{animation:none}}</style>`,
    `<rect width="${width}" height="${height}" rx="10" fill="#0d1117"/>`,
    `<path d="M0 ${barHeight - 6}V10A10 10 0 0 1 10 0H${width - 10}A10 10 0 0 1 ${width} 10V${barHeight - 6}Z" fill="#161b22"/>`,
    ...['#ff5f57', '#febc2e', '#28c840'].map(
      (fill, index) => `<circle cx="${20 + index * 20}" cy="15" r="6" fill="${fill}"/>`,
    ),
    `<text x="${width / 2}" y="20" text-anchor="middle" class="d">${escapeXml(title)}</text>`,
    `<defs>${defs.join('\n')}</defs>`,
    `<svg y="${barHeight}" width="${width}" height="${screenHeight - barHeight}" overflow="hidden">`,
    `<g class="f" transform="translate(${still})">`,
    ...drawn,
    `</g></svg>`,
    ...(caption === undefined
      ? []
      : [
          `<text x="${width / 2}" y="${height - margin / 2}" text-anchor="middle" class="d">${escapeXml(caption)}</text>`,
        ]),
    `</svg>`,
  ].join('\n')}\n`
}

/** One line at the top left, to be used at any height. */
function drawLine(line: Line): string {
  const spans: string[] = []
  const shapes: string[] = []
  let column = 0
  for (const { text, style } of line) {
    const name = classes[style] ? ` class="${classes[style]}"` : ''
    // Runs of spaces become positions, so that columns line up in every font.
    for (const part of text.matchAll(/[▇▅▂]+|(?:[^\s▇▅▂]| (?=[^\s▇▅▂]))+/gu)) {
      const x = margin + (column + part.index) * cellWidth
      if (blocks[part[0][0] ?? ''] === undefined) {
        const lead = part[0].length - part[0].trimStart().length
        spans.push(
          `<tspan x="${round(x + lead * cellWidth, 1)}"${name}>${escapeXml(part[0].trimStart())}</tspan>`,
        )
      } else shapes.push(bars(part[0], x, classes[style]))
    }
    column += text.length
  }
  return `${spans.length > 0 ? `<text y="15">${spans.join('')}</text>` : ''}${shapes.join('')}`
}

/** A run of equal bars is one dashed line, which keeps the file small. */
const bars = (text: string, x: number, style: string): string =>
  [...text.matchAll(/(.)\1*/gu)]
    .map((run) => {
      const tall = Math.round((blocks[run[1] ?? ''] ?? 0) * lineHeight)
      const start = round(x + run.index * cellWidth, 1)
      const wide = round(run[0].length * cellWidth, 1)
      return `<path class="s${style}" stroke-width="${tall}" d="M${start} ${lineHeight - 2 - tall / 2}h${wide}"/>`
    })
    .join('')

const round = (value: number, digits: number): string => String(Number(value.toFixed(digits)))

const escapeXml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
