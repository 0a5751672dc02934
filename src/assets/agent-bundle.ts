import { createHash, randomBytes } from 'node:crypto'
import { mkdir, open, rename } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { HoldfastError, messageOf } from '../errors.ts'
import { sha256OfFile } from './manifest.ts'

/**
 * Bundles the agent and all it imports into one file for Node 24, `CACHE/agent/SHA256.cjs`.
 * The same sources give the same file. Throws `agent-not-bundled` with what esbuild says.
 */
export async function bundleAgent(entry: string, cache: string): Promise<{ path: string; sha256: string }> {
  const { build } = await import('esbuild')
  let content: Uint8Array | undefined
  try {
    const result = await build({
      entryPoints: [entry],
      // esbuild writes each source's path into the file, from here on: never the caller's folder.
      absWorkingDir: dirname(resolve(entry)),
      bundle: true,
      write: false,
      platform: 'node',
      target: 'node24',
      // `import ... from 'node:http'` loads all that node:http could lead to; `require` only what is used.
      format: 'cjs',
      // Readable stack traces are worth more in a machine's journal than a smaller file.
      minify: false,
      keepNames: true,
      legalComments: 'none',
      logLevel: 'silent',
    })
    content = result.outputFiles[0]?.contents
  } catch (error) {
    throw new HoldfastError('agent-not-bundled', `${entry} could not be bundled: ${messageOf(error)}`, {
      remedy: 'Run `npm ci` in the folder of Holdfast and try again.',
      cause: error,
    })
  }
  if (!content) throw new HoldfastError('agent-not-bundled', `${entry} gave nothing when it was bundled.`)
  const sha256 = createHash('sha256').update(content).digest('hex')
  const dir = join(cache, 'agent')
  const path = join(dir, `${sha256}.cjs`)
  const present = await sha256OfFile(path).catch(() => undefined)
  if (present !== sha256) await writeWhole(dir, path, content)
  return { path, sha256 }
}

async function writeWhole(dir: string, path: string, content: Uint8Array): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const writing = `${path}.${randomBytes(4).toString('hex')}`
  const handle = await open(writing, 'wx', 0o644)
  try {
    await handle.writeFile(content)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(writing, path)
}
