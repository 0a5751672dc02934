import { execFile } from 'node:child_process'
import { type ResolvedAssets, resolveAssets } from '../../../src/assets/resolve.ts'
import { kubernetes } from '../../../src/constants.ts'
import { silent } from '../../../src/events.ts'
import type { Output } from './machines.ts'
import { clusterName, home, kubeconfigFile } from './place.ts'

let resolved: Promise<ResolvedAssets> | undefined

/** Where the assets of the default version are; `up` has fetched or built them before. */
export const assets = (): Promise<ResolvedAssets> => {
  resolved ??= resolveAssets({
    kubernetesVersion: kubernetes.defaultVersion,
    cache: home().cache,
    report: silent,
  })
  return resolved
}

interface KubectlOptions {
  timeoutMs?: number
  cluster?: string
}

/** The plain kubectl with the exported kubeconfig, as a user would run it. */
export async function kubectl(
  words: readonly string[],
  { timeoutMs = 30_000, cluster = clusterName }: KubectlOptions = {},
): Promise<Output> {
  const { kubectl: file } = await assets()
  const env = { ...process.env, KUBECONFIG: kubeconfigFile }
  const all = ['--context', `holdfast-${cluster}`, ...words]
  return new Promise((resolve) => {
    execFile(file, all, { env, timeout: timeoutMs }, (error, stdout, stderr) => {
      resolve({ code: error ? (typeof error.code === 'number' ? error.code : -1) : 0, stdout, stderr })
    })
  })
}

/** @throws Error unless it ends with 0. @returns its standard output. */
export async function mustKubectl(words: readonly string[], options?: KubectlOptions): Promise<string> {
  const { code, stdout, stderr } = await kubectl(words, options)
  if (code === 0) return stdout
  throw new Error(`kubectl ${words.join(' ')}: ${code}: ${stderr.trim()}`)
}
