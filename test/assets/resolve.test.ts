import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { obtainLeaves } from '../../src/assets/resolve.ts'
import { componentVersions } from '../../src/assets/versions.ts'
import type { ProgressEvent } from '../../src/events.ts'
import { fillLeaves } from './filled-cache.ts'
import { scratch } from './scratch.ts'

test('a Go that is too old costs the probe image alone', async () => {
  const [cache, bin] = [await scratch(), await scratch()]
  const made = await fillLeaves(cache)
  const complaint = 'go: go.mod requires go >= 1.26.0 (running go 1.19.8)'
  await writeFile(join(bin, 'go'), `#!/bin/sh\necho '${complaint}' >&2\nexit 1\n`, { mode: 0o755 })
  const events: ProgressEvent[] = []

  const leaves = await obtainLeaves(componentVersions('1.36.3'), {
    cache,
    report: (event) => events.push(event),
    env: { PATH: `${bin}:${process.env.PATH}` },
    sites: async () => ({}),
  })

  expect(leaves).toEqual(made)
  expect(events).toContainEqual({ type: 'warning', message: expect.stringContaining(complaint) })
})
