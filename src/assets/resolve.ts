import { join } from 'node:path'
import type { MachineAssets } from '../clouds/local/parts.ts'
import { HoldfastError, messageOf } from '../errors.ts'
import type { Report } from '../events.ts'
import type { Asset } from './cache.ts'
import {
  binRecipe,
  cniRecipe,
  containerdRecipe,
  corednsRecipe,
  etcdRecipe,
  imagesRecipe,
  kubernetesRecipe,
  type Made,
  pauseRecipe,
  probeRecipe,
  templateRecipe,
} from './catalog.ts'
import { imageReferences } from './images.ts'
import { machineRootRecipe } from './machine-root.ts'
import { type OfficialSites, officialSites, reachableSites } from './official.ts'
import { type AssetContext, obtain, type Recipe } from './recipe.ts'
import { type ComponentVersions, componentVersions } from './versions.ts'

export interface AssetOptions {
  /** With or without a leading `v`. */
  kubernetesVersion: string
  /** `Home.cache`. */
  cache: string
  report: Report
  /** Asked to end; see `AssetContext`. */
  stop?: AbortSignal
  /** A file made by `bundleAssets`. */
  bundle?: string
  /** Default: this process's. Proxies, Go's settings and HOLDFAST_DEBIAN_MIRROR are read from it. */
  env?: NodeJS.ProcessEnv
  /** Other bases for the official sites; false never asks them. */
  sites?: OfficialSites | false
  /** Read every file in the cache, not only what changed since it was last verified. */
  verify?: boolean
}

/** What a cluster's machines are made from, but for the agent's bundle. */
export interface ResolvedAssets extends Omit<MachineAssets, 'agentBundle' | 'agentSha256'> {
  versions: ComponentVersions
  kubectl: string
  /** What every machine has from its first moment: reference and OCI archive. */
  images: { reference: string; archive: string }[]
}

/** Node's release that the agent runs on. */
const leastNodeMajor = 24

/**
 * Everything a machine of this Kubernetes version needs, from the cache or made now: see `obtain`
 * for the order of sources. With all of it in the cache this takes about 60 ms, most of it for the
 * times of the machine root's 7,000 files.
 * Needs root where the machine root or the images are not there yet.
 */
export async function resolveAssets(options: AssetOptions): Promise<ResolvedAssets> {
  const versions = componentVersions(options.kubernetesVersion)
  const nodeBinary = checkedNode()
  const context = await assetContext(options)
  const made = await obtainLeaves(versions, context)
  const images = await obtain(imagesRecipe(versions, made), context)
  const bin = await obtain(binRecipe(versions, made), context)
  const template = await obtain(templateRecipe(versions, images, bin), context)
  return {
    versions,
    machineRoot: made['machine-root'].dir,
    binDir: bin.dir,
    cniDir: made.cni.dir,
    containerdTemplate: template.dir,
    nodeBinary,
    kubectl: join(bin.dir, 'kubectl'),
    images: Object.entries(imageReferences(versions)).map(([name, reference]) => ({
      reference,
      archive: join(images.dir, `${name}.tar`),
    })),
  }
}

export async function assetContext(options: AssetOptions): Promise<AssetContext> {
  const env = options.env ?? process.env
  const sites = options.sites ?? officialSites
  let reachable: Promise<Partial<OfficialSites>> | undefined
  // Few commands name a bundle, so its reader is loaded for them alone.
  const bundle = options.bundle
    ? await (await import('./bundle-file.ts')).openBundle(options.bundle)
    : undefined
  return {
    cache: options.cache,
    report: options.report,
    stop: options.stop,
    env,
    verify: options.verify ?? false,
    ...(bundle ? { bundle } : {}),
    sites: () => {
      reachable ??= sites === false ? Promise.resolve({}) : reachableSites(sites, env)
      return reachable
    },
  }
}

/** The recipes that need no other asset. */
export const leafRecipes = (versions: ComponentVersions) => ({
  'machine-root': machineRootRecipe,
  pause: pauseRecipe(versions),
  kubernetes: kubernetesRecipe(versions),
  etcd: etcdRecipe(versions),
  containerd: containerdRecipe(versions),
  coredns: corednsRecipe(versions),
  cni: cniRecipe(versions),
})

export type Leaves = Record<keyof ReturnType<typeof leafRecipes>, Asset> & Made

export async function obtainLeaves(versions: ComponentVersions, context: AssetContext): Promise<Leaves> {
  const recipes = leafRecipes(versions)
  const get = (recipe: Recipe) => obtain(recipe, context)
  // Packages come over the network while Go compiles; compilers wait for each other, for each of
  // them keeps every processor busy.
  const root = get(recipes['machine-root'])
  const compiled = (async () => ({
    pause: await get(recipes.pause),
    kubernetes: await get(recipes.kubernetes),
    etcd: await get(recipes.etcd),
    containerd: await get(recipes.containerd),
    coredns: await get(recipes.coredns),
    cni: await get(recipes.cni),
  }))()
  // Both have ended before an error is passed on, so that nothing works on behind the caller's back.
  const [first, second] = await Promise.allSettled([root, compiled])
  if (first.status === 'rejected') throw first.reason
  if (second.status === 'rejected') throw second.reason
  return { ...second.value, 'machine-root': first.value }
}

/**
 * The image that tests and drills put into pods; undefined, with a warning, where it cannot be built. It has no official
 * release, and no cluster needs it: what makes a cluster does not try to build it each time.
 */
export async function obtainProbe(context: AssetContext): Promise<Asset | undefined> {
  try {
    return await obtain(probeRecipe(), context)
  } catch (error) {
    // A Go that is too old is no reason to end here, where all else was downloaded.
    const unbuilt = ['asset-command-missing', 'asset-command-failed']
    if (!(error instanceof HoldfastError) || !unbuilt.includes(error.code)) throw error
    context.report({ type: 'warning', message: `There is no probe image: ${messageOf(error)}` })
    return undefined
  }
}

function checkedNode(): string {
  if (Number.parseInt(process.versions.node, 10) >= leastNodeMajor) return process.execPath
  throw new HoldfastError('node-too-old', `This is Node ${process.versions.node} at ${process.execPath}.`, {
    remedy: `Start Holdfast by its start script \`holdfast\`, which brings Node ${leastNodeMajor}.`,
  })
}
