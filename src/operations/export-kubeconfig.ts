import { join } from 'node:path'
import type { Inventory } from '../clouds/cloud.ts'
import { HoldfastError } from '../errors.ts'
import { type KubeconfigInput, kubeconfigEntryName, renderKubeconfig } from '../pki/kubeconfig.ts'
import {
  kubeconfigTarget,
  mentions,
  mergeKubeconfig,
  proveKubeconfig,
  removeFromKubeconfig,
} from '../pki/kubeconfig-file.ts'
import { clusterNotMade, credentialsFolder, operatorCredentials, writePrivate } from './credentials.ts'
import { readDeclared } from './declared.ts'
import type { Operation } from './operation.ts'
import { goesToProxy, pastProxy } from './proxy.ts'

/**
 * Merges the context `holdfast-NAME` into the user's kubeconfig.
 * @returns the context's name and the file that was changed.
 */
export async function exportKubeconfig(
  operation: Operation,
  cluster: string,
): Promise<{ context: string; file: string }> {
  const entry = await adminEntry(operation, cluster)
  const file = await kubeconfigTarget(operation.kubeconfig.files)
  await mergeKubeconfig(file, entry, operation.kubeconfig.owner)
  warnOfProxy(operation, entry)
  return { context: entry.context, file }
}

function warnOfProxy(
  { kubeconfig: { env = {} }, report }: Operation,
  { context, server }: KubeconfigInput,
): void {
  if (!goesToProxy(env, server)) return
  const { NO_PROXY } = pastProxy(env, server)
  report({
    type: 'warning',
    message: `HTTPS_PROXY is set, and kubectl would ask that proxy for ${context}. Set NO_PROXY=${NO_PROXY} for it; \`holdfast kubectl\` needs nothing.`,
  })
}

/**
 * Before anything is changed: what the change of the user's kubeconfig would trip over in the end. Only here is a bad
 * file bad input.
 * @param removed the cluster whose context is to go from every file; without it one is to be added.
 * @throws HoldfastError `kubeconfig-broken`, `kubeconfig-not-writable`, `kubeconfig-locked`.
 */
export async function checkKubeconfig({ kubeconfig }: Operation, removed?: string): Promise<void> {
  const files = removed === undefined ? [await kubeconfigTarget(kubeconfig.files)] : kubeconfig.files
  try {
    for (const file of files) {
      if (removed === undefined || (await mentions(file, kubeconfigEntryName(removed))))
        await proveKubeconfig(file)
    }
  } catch (error) {
    // That somebody else is changing it is no fault of what was given.
    if (!(error instanceof HoldfastError) || error.code === 'kubeconfig-locked') throw error
    throw Object.assign(error, { exitCode: 2 })
  }
}

/** Takes the cluster's context out of every kubeconfig file of the user. */
export async function removeKubeconfig(operation: Operation, cluster: string): Promise<void> {
  for (const file of operation.kubeconfig.files)
    await removeFromKubeconfig(file, kubeconfigEntryName(cluster))
}

/** A kubeconfig with this cluster alone. */
export async function renderAdminKubeconfig(operation: Operation, cluster: string): Promise<string> {
  return renderKubeconfig(await adminEntry(operation, cluster))
}

/** The same as a file below the home (0600), for the bundled kubectl, and the server that it names. */
export async function adminKubeconfigFile(
  operation: Operation,
  cluster: string,
): Promise<{ file: string; server: string }> {
  const entry = await adminEntry(operation, cluster)
  const file = join(credentialsFolder(operation.home, cluster), 'kubeconfig')
  await writePrivate(file, renderKubeconfig(entry))
  return { file, server: entry.server }
}

async function adminEntry(operation: Operation, cluster: string): Promise<KubeconfigInput> {
  const { declaration } = await readDeclared(operation.store, cluster)
  const cloud = await operation.cloud(declaration.cluster.spec.cloud)
  const server = serverOf(await cloud.observe(cluster))
  if (!server) throw clusterNotMade(cluster)
  const { admin, caPem } = await operatorCredentials(operation, cluster)
  const name = kubeconfigEntryName(cluster)
  return {
    cluster: name,
    user: name,
    context: name,
    server,
    caPem,
    certPem: admin.certPem,
    keyPem: admin.keyPem,
  }
}

/** The endpoint as it is reached from this host; undefined while there is none. */
export const serverOf = ({ endpoint }: Inventory): string | undefined =>
  endpoint && `https://${endpoint.address}:${endpoint.port}`
