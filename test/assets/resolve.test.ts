import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type AssetOptions, assetContext, obtainProbe, resolveAssets } from '../../src/assets/resolve.ts'
import type { ProgressEvent } from '../../src/events.ts'
import { fillCache } from './filled-cache.ts'
import { scratch } from './scratch.ts'

/** A cache that has all but the probe, and a Go that is too old for it. */
async function withOldGo() {
  const [cache, bin] = [await scratch(), await scratch()]
  await fillCache(cache)
  const complaint = 'go: go.mod requires go >= 1.26.0 (running go 1.19.8)'
  await writeFile(join(bin, 'go'), `#!/bin/sh\necho '${complaint}' >&2\nexit 1\n`, { mode: 0o755 })
  const events: ProgressEvent[] = []
  const options: AssetOptions = {
    kubernetesVersion: '1.36.3',
    cache,
    report: (event) => events.push(event),
    env: { PATH: `${bin}:${process.env.PATH}` },
    sites: false,
  }
  return { options, events, complaint }
}

test('what machines are made from is taken from the cache in silence: the probe is not built for it', async () => {
  const { options, events } = await withOldGo()

  await resolveAssets(options)

  expect(events).toEqual([])
})

test('a Go that is too old costs the probe image alone', async () => {
  const { options, events, complaint } = await withOldGo()

  expect(await obtainProbe(await assetContext(options))).toBeUndefined()

  expect(events).toContainEqual({ type: 'warning', message: expect.stringContaining(complaint) })
})
