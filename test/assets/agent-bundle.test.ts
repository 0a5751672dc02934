import { execFileSync } from 'node:child_process'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { bundleAgent } from '../../src/assets/agent-bundle.ts'
import { sha256OfFile } from '../../src/assets/manifest.ts'
import { scratch } from './scratch.ts'

test('an entry with imports of both kinds becomes one file that Node runs', async () => {
  const [dir, cache] = [await scratch(), await scratch()]
  await mkdir(join(dir, 'node_modules/old'), { recursive: true })
  await writeFile(join(dir, 'node_modules/old/index.js'), "module.exports = require('os').EOL.length")
  await writeFile(join(dir, 'part.ts'), 'export const part: string = "part"')
  await writeFile(
    join(dir, 'main.ts'),
    `import old from 'old'; import { part } from './part.ts'; console.log(part, old)`,
  )

  const first = await bundleAgent(join(dir, 'main.ts'), cache)
  const second = await bundleAgent(join(dir, 'main.ts'), cache)

  expect(second).toEqual(first)
  expect(await sha256OfFile(first.path)).toBe(first.sha256)
  expect(await readdir(join(cache, 'agent'))).toEqual([basename(first.path)])
  expect(execFileSync(process.execPath, [first.path]).toString()).toBe('part 1\n')
})

test('it does not matter from which folder the command is run', async () => {
  const [dir, cache] = [await scratch(), await scratch()]
  await writeFile(join(dir, 'part.ts'), 'export const part: string = "part"')
  await writeFile(join(dir, 'main.ts'), `import { part } from './part.ts'; console.log(part)`)
  const here = process.cwd()
  const first = await bundleAgent(join(dir, 'main.ts'), cache)

  process.chdir('/')
  const second = await bundleAgent(join(dir, 'main.ts'), cache).finally(() => process.chdir(here))

  expect(second.sha256).toBe(first.sha256)
})

test('other sources give another file, and a damaged one is written again', async () => {
  const [dir, cache] = [await scratch(), await scratch()]
  const entry = join(dir, 'main.ts')
  await writeFile(entry, 'console.log(1)')
  const first = await bundleAgent(entry, cache)

  await writeFile(first.path, 'damaged')
  const repaired = await bundleAgent(entry, cache)
  await writeFile(entry, 'console.log(2)')
  const other = await bundleAgent(entry, cache)

  expect(await sha256OfFile(repaired.path)).toBe(first.sha256)
  expect(other.sha256).not.toBe(first.sha256)
})

test('what cannot be bundled says where', async () => {
  const entry = join(await scratch(), 'main.ts')
  await writeFile(entry, "import './nowhere.ts'")

  const bundling = bundleAgent(entry, await scratch())

  await expect(bundling).rejects.toMatchObject({
    code: 'agent-not-bundled',
    message: expect.stringContaining('nowhere'),
  })
})
