/** Colours for a terminal; plain text with NO_COLOR (https://no-color.org) or elsewhere. */
export interface Colours {
  bold(text: string): string
  dim(text: string): string
  red(text: string): string
  green(text: string): string
  yellow(text: string): string
  cyan(text: string): string
}

export function coloursFor(io: { terminal: boolean; env: NodeJS.ProcessEnv }): Colours {
  const on = io.terminal && !io.env['NO_COLOR']
  const wrap = (open: number, close: number) => (text: string) =>
    on ? `\u001b[${open}m${text}\u001b[${close}m` : text
  return {
    bold: wrap(1, 22),
    dim: wrap(2, 22),
    red: wrap(31, 39),
    green: wrap(32, 39),
    yellow: wrap(33, 39),
    cyan: wrap(36, 39),
  }
}
