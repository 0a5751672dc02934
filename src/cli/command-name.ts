import type { Io } from './io.ts'

/**
 * The word where a command to type begins: in backquotes, on an indented line, in what help says of usage; with
 * sudo before it where that has to be told more.
 */
const commandStart = /(?<=`|^ {2,}|^Usage: |\(or: |&& |<\()(sudo env "PATH=\$PATH" )?holdfast(?= [a-z[…-])/gm

/**
 * Prints commands as this one was called (`./holdfast`, `sudo ./holdfast`), so that they can be pasted. The
 * start script says how that was. For words to people; what programs read goes through `Cli.data`.
 */
export function withCommandName(io: Io): Io {
  const called = io.env['HOLDFAST_COMMAND']
  if (!called || called === 'holdfast') return io
  const named = (text: string) =>
    text.replace(commandStart, (_, sudo?: string) => (sudo ? sudo + called.replace(/^sudo /, '') : called))
  return { ...io, out: (text) => io.out(named(text)), err: (text) => io.err(named(text)) }
}
