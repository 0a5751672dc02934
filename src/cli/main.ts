import { enableCompileCache } from 'node:module'
import { fileURLToPath } from 'node:url'

// Below the packages' folder rather than in /tmp: root must not load code that others could have put there.
enableCompileCache(fileURLToPath(new URL('../../node_modules/.cache/holdfast', import.meta.url)))

const { runCli } = await import('./run.ts')
const { processIo } = await import('./io.ts')
process.exitCode = await runCli(process.argv.slice(2), processIo())
// Sockets that are kept alive for reuse must not hold the command back.
process.stdout.write('', () => process.stderr.write('', () => process.exit()))
