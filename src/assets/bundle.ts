import { basename } from 'node:path'
import { asStep } from '../events.ts'
import { type Bundle, writeBundle } from './bundle-file.ts'
import { sha256OfFile } from './manifest.ts'
import { type AssetOptions, assetContext, obtainLeaves, obtainProbe } from './resolve.ts'
import { componentVersions } from './versions.ts'

/**
 * Writes what cannot be made from the rest into one file for a host without a way out, fetching
 * or building what is missing first, and reads it back. Images and the like are put together
 * again on that host, which needs no compiler and no network for it.
 */
export async function bundleAssets(
  options: AssetOptions & { file: string },
): Promise<{ bundle: Bundle; sha256: string }> {
  const versions = componentVersions(options.kubernetesVersion)
  const context = await assetContext({ ...options, verify: true })
  const leaves = await obtainLeaves(versions, context)
  const probe = await obtainProbe(context)
  return asStep(options.report, 'assets-bundle', `Bundle ${basename(options.file)}`, async (progress) => {
    const assets = [...Object.values(leaves), ...(probe ? [probe] : [])]
    const bundle = await writeBundle(options.file, versions.kubernetes, assets, progress)
    return { bundle, sha256: await sha256OfFile(options.file) }
  })
}
