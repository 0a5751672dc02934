import { join } from 'node:path'
import type { Report } from '../events.ts'
import {
  binRecipe,
  cniRecipe,
  containerdRecipe,
  corednsRecipe,
  etcdRecipe,
  imagesRecipe,
  kubernetesRecipe,
  pauseRecipe,
  probeRecipe,
  templateRecipe,
} from './catalog.ts'
import { imageReferences } from './images.ts'
import { machineRootRecipe } from './machine-root.ts'
import { type AssetContext, obtain } from './recipe.ts'
import { componentVersions } from './versions.ts'

export interface ResolveOptions {
  kubernetesVersion: string
  cache: string
  report: Report
  env?: NodeJS.ProcessEnv
  verify?: boolean
}

export async function resolveAssets(options: ResolveOptions) {
  const versions = componentVersions(options.kubernetesVersion)
  const context: AssetContext = {
    cache: options.cache,
    report: options.report,
    env: options.env ?? process.env,
    verify: options.verify ?? false,
    sites: async () => undefined,
  }
  const get = (recipe: Parameters<typeof obtain>[0]) => obtain(recipe, context)
  const rootPromise = get(machineRootRecipe)
  rootPromise.catch(() => {})
  const pause = await get(pauseRecipe(versions))
  const kubernetes = await get(kubernetesRecipe(versions))
  const etcd = await get(etcdRecipe(versions))
  const containerd = await get(containerdRecipe(versions))
  const coredns = await get(corednsRecipe(versions))
  const cni = await get(cniRecipe(versions))
  const machineRoot = await rootPromise
  const made = { kubernetes, etcd, containerd, coredns, cni, pause, 'machine-root': machineRoot }
  const images = await get(imagesRecipe(versions, made))
  const bin = await get(binRecipe(versions, made))
  const template = await get(templateRecipe(versions, images, bin))
  return {
    machineRoot: machineRoot.dir,
    binDir: bin.dir,
    cniDir: cni.dir,
    containerdTemplate: template.dir,
    nodeBinary: process.execPath,
    kubectl: join(bin.dir, 'kubectl'),
    images: Object.values(imageReferences(versions)),
  }
}
