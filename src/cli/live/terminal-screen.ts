import type { Line, Style } from './lines.ts'

/** A terminal small enough to draw pictures of: what our own views write, and nothing more. */
export interface TerminalScreen {
  write(data: string): void
  /** The last `height` lines. */
  lines(): Line[]
}

interface Cell {
  char: string
  style: Style
}

const escapeChar = '\u001b'
const sequence = new RegExp(`^${escapeChar}\\[(\\?)?([0-9;]*)([A-Za-z])`)
const colours: Record<number, Style> = { 31: 'red', 32: 'green', 33: 'yellow', 36: 'cyan' }

/** Understands line feed, carriage return, cursor up and down and to a column, erasing, and our few colours. */
export function terminalScreen(width: number, height: number): TerminalScreen {
  const rows: Cell[][] = [[]]
  let row = 0
  let column = 0
  let weight: Style = 'plain'
  let colour: Style = 'plain'
  const rowAt = (index: number): Cell[] => {
    while (rows.length <= index) rows.push([])
    return rows[index] ?? []
  }

  const put = (char: string): void => {
    if (column >= width) return
    const cells = rowAt(row)
    while (cells.length < column) cells.push({ char: ' ', style: 'plain' })
    cells[column] = { char, style: colour === 'plain' ? weight : colour }
    column += 1
  }
  const select = (code: number): void => {
    if (code === 0) {
      weight = 'plain'
      colour = 'plain'
    } else if (code === 22) weight = 'plain'
    else if (code === 39) colour = 'plain'
    else if (code === 1) weight = 'bold'
    else if (code === 2) weight = 'dim'
    else colour = colours[code] ?? colour
  }
  const control = (letter: string, parameters: string): void => {
    const count = Number(parameters || 1)
    if (letter === 'A') row = Math.max(0, row - count)
    else if (letter === 'B') row += count
    else if (letter === 'G') column = count - 1
    else if (letter === 'K') rowAt(row).splice(column)
    else if (letter === 'J') {
      rowAt(row).splice(column)
      rows.splice(row + 1)
    } else if (letter === 'm') for (const code of parameters.split(';')) select(Number(code))
  }
  return {
    write(data) {
      for (let index = 0; index < data.length; ) {
        const rest = data[index] === escapeChar ? sequence.exec(data.slice(index, index + 20)) : null
        if (rest) {
          if (!rest[1]) control(rest[3] ?? '', rest[2] ?? '')
          index += rest[0].length
          continue
        }
        const char = String.fromCodePoint(data.codePointAt(index) ?? 32)
        index += char.length
        if (char === '\n') {
          row += 1
          column = 0
          rowAt(row)
        } else if (char === '\r') column = 0
        else if (char >= ' ') put(char)
      }
    },
    lines() {
      const last = rows.at(-1)?.length === 0 ? rows.length - 1 : rows.length
      return rows.slice(Math.max(0, last - height), last).map(merge)
    },
  }
}

function merge(cells: readonly Cell[]): Line {
  const line: Line = []
  for (const { char, style } of cells) {
    const last = line.at(-1)
    if (last && (last.style === style || char === ' ')) last.text += char
    else line.push({ text: char, style })
  }
  const end = line.at(-1)
  if (end) end.text = end.text.trimEnd()
  return line.filter((segment) => segment.text)
}
