import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { recordIo, recordingToAsciicast } from '../src/cli/live/recording.ts'
import { recordingToSvg } from '../src/cli/live/recording-svg.ts'

const usage = `Runs a command of Holdfast on a recorded terminal and makes a picture of what it showed.

  node bench/record.ts [--out docs/demo] [--caption TEXT] -- demo

Writes OUT.cast (asciicast v2, as asciinema plays it) and OUT.svg; the caption stands at the picture's foot.
`

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: 'string', default: 'docs/demo' },
    caption: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

if (flags.help || positionals.length === 0) process.stdout.write(usage)
else await record(positionals)

async function record(args: string[]): Promise<void> {
  const { runCli } = await import('../src/cli/run.ts')
  const { processIo } = await import('../src/cli/io.ts')
  const line = `./holdfast ${args.join(' ')}`
  const { io, recording } = recordIo(processIo(), { title: line, passOn: true })
  io.err(`$ ${line}\n`)
  process.exitCode = await runCli(args, io)
  await writeFile(`${flags.out}.cast`, recordingToAsciicast(recording))
  await writeFile(`${flags.out}.svg`, recordingToSvg(recording, flags.caption))
  // Kept-alive connections must not hold this process back.
  setImmediate(() => process.exit())
}
