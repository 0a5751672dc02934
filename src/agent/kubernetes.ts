import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseDocument } from 'yaml'
import { ports } from '../constants.ts'
import { KubeApiError } from '../controlplane/api-error.ts'
import {
  controlPlanePatches,
  healthExclusions,
  type MasterFacts,
  renderInitConfiguration,
} from '../controlplane/kubeadm-config.ts'
import { HoldfastError, messageOf } from '../errors.ts'
import type { ClusterPki } from '../pki/cluster-pki.ts'
import { command } from './command.ts'
import { folders } from './context.ts'
import { readIfThere, writeDurably, writeIfChanged } from './files.ts'
import { expiryOfKubeconfig, isComplete, removeHalfWritten } from './kubeadm-files.ts'
import { useRotatingCertificate } from './rotating-certificate.ts'
import { manifestOf } from './static-pod.ts'

export const kubeadmConfig = '/etc/holdfast/kubeadm.yaml'
export const adminConf = '/etc/kubernetes/admin.conf'
export const superAdminConf = '/etc/kubernetes/super-admin.conf'
export const kubeletConf = '/etc/kubernetes/kubelet.conf'
/** Where kubeadm writes manifests that kubelet is not to see yet. */
const rendered = join(folders.state, 'manifests')
/**
 * What all of it was made of, in this boot: an agent that starts again leaves kubelet alone, and the
 * processors to the control plane.
 */
const prepared = '/run/holdfast-prepared'
const kubeletPem = '/var/lib/kubelet/pki/kubelet-client-current.pem'

const allPhases = [
  'preflight',
  'certs',
  'kubeconfig',
  'etcd',
  'control-plane',
  'kubelet-start',
  'wait-control-plane',
  'upload-config',
  'upload-certs',
  'mark-control-plane',
  'bootstrap-token',
  'kubelet-finalize',
  'addon/coredns',
  'addon/kube-proxy',
  'show-join-command',
]
/** CoreDNS is applied apart: see `core-dns.ts`. */
export const clusterPhases = new Set(['upload-config', 'bootstrap-token', 'addon/kube-proxy'])

/**
 * It ends before a collection of garbage would have paid. It also ends with the agent: the next one starts
 * its own, and two at once would write the same files.
 */
export const kubeadm = (
  args: readonly string[],
  { env = {}, timeoutMs = 120_000 }: { env?: Record<string, string>; timeoutMs?: number } = {},
): Promise<string> =>
  command('setpriv', ['--pdeathsig', 'KILL', 'kubeadm', ...args], {
    env: { GOGC: 'off', ...env },
    timeoutMs,
  })

/** `kubeadm init` with these phases only: one process instead of one for each phase. */
export const kubeadmInit = (phases: ReadonlySet<string>): Promise<string> =>
  kubeadm([
    'init',
    `--config=${kubeadmConfig}`,
    `--skip-phases=${allPhases.filter((name) => !phases.has(name)).join(',')}`,
  ])

/** The authorities, as kubeadm expects them on a master's disk. */
export async function writeAuthorities(pki: ClusterPki): Promise<void> {
  const pair = async (
    base: string,
    { certPem, keyPem }: { certPem: string; keyPem: string },
  ): Promise<void> => {
    await writeIfChanged(join(folders.pki, `${base}.key`), keyPem, 0o600)
    await writeIfChanged(join(folders.pki, `${base}.crt`), certPem, 0o644)
  }
  await Promise.all([
    pair('ca', pki.ca),
    pair('front-proxy-ca', pki.frontProxyCa),
    writeIfChanged(join(folders.pki, 'sa.key'), pki.serviceAccount.privatePem, 0o600),
    writeIfChanged(join(folders.pki, 'sa.pub'), pki.serviceAccount.publicPem, 0o644),
  ])
}

/** Certificates, kubeconfigs and kubelet's own configuration of this master; starts kubelet. */
export async function startKubelet(facts: MasterFacts, progress: (reason: string) => void): Promise<void> {
  await forgetOldAddress(facts.address)
  const config = renderInitConfiguration(facts, folders.patches)
  const patches = controlPlanePatches()
  const wanted = JSON.stringify({ config, patches })
  if ((await readIfThere(prepared)) === wanted && (await isComplete('/etc/kubernetes'))) {
    await command('systemctl', ['start', 'kubelet'])
    return
  }
  tellRemoved(await removeHalfWritten('/etc/kubernetes'), progress)
  await writeIfChanged(kubeadmConfig, config)
  for (const [name, content] of Object.entries(patches)) {
    await writeIfChanged(join(folders.patches, name), content)
  }
  await Promise.all([folders.manifests, rendered].map((folder) => mkdir(folder, { recursive: true })))
  await makeCertificates()
  await kubeadmInit(new Set(['kubelet-start']))
  await renderManifests()
  await writeDurably(prepared, wanted)
}

/**
 * Makes again what has nearly run out or is not whole, while everything runs. The apiserver reads its
 * certificates anew by itself (`dynamiccertificates` in Kubernetes); the controllers, where they run already,
 * start again.
 */
export async function renewCertificates(progress: (reason: string) => void): Promise<void> {
  const removed = await removeHalfWritten('/etc/kubernetes')
  tellRemoved(removed, progress)
  if (!(await isComplete('/etc/kubernetes'))) {
    const bypass = await readIfThere(superAdminConf)
    await makeCertificates()
    // kubeadm makes it together with the others.
    if (bypass === undefined) await rm(superAdminConf, { force: true })
  }
  if (removed.includes('kubelet.conf')) await command('systemctl', ['restart', 'kubelet'])
  if (await readIfThere(manifestOf('kube-scheduler'))) await startControllers()
}

/** Makes what is missing of them; what is there stays. */
async function makeCertificates(): Promise<void> {
  await kubeadmInit(new Set(['certs', 'kubeconfig']))
  await useRotatingCertificate({ kubeletConf, pem: kubeletPem, authority: join(folders.pki, 'ca.crt') })
}

function tellRemoved(names: readonly string[], progress: (reason: string) => void): void {
  if (names.length > 0) progress(`made again: ${names.join(', ')}`)
}

/** What names the machine's former address is made again. */
async function forgetOldAddress(address: string): Promise<void> {
  const file = join(folders.state, 'address')
  const before = await readIfThere(file)
  if (before === address) return
  if (before !== undefined) {
    // A master's kubelet, too, speaks to the apiserver beside it.
    const certificate = ['pki/apiserver.crt', 'pki/apiserver.key']
    const outdated = [...certificate, 'controller-manager.conf', 'scheduler.conf', 'kubelet.conf']
    await Promise.all(outdated.map((name) => rm(join('/etc/kubernetes', name), { force: true })))
  }
  await writeDurably(file, address)
}

/**
 * Has kubeadm make the static pods' manifests beside the folder that kubelet reads: each goes there when
 * its time has come, whole.
 */
const renderManifests = (): Promise<string> =>
  kubeadm(['init', 'phase', 'control-plane', 'all', '--dry-run', `--config=${kubeadmConfig}`], {
    env: { KUBEADM_INIT_DRYRUN_DIR: rendered },
  })

/** Changed annotations make kubelet start the pod again. */
async function startStaticPod(component: string, annotations: Record<string, string> = {}): Promise<void> {
  const manifest = parseDocument(await readFile(join(rendered, `${component}.yaml`), 'utf8'))
  for (const [name, value] of Object.entries(annotations)) {
    manifest.setIn(['metadata', 'annotations', name], value)
  }
  await writeIfChanged(manifestOf(component), manifest.toString())
}

/**
 * Returns once it is ready, or fails after half a minute: its manifest may have been taken away again. `mayRun`
 * throws why not; asked before and after, because the answer may change while the manifest is written.
 */
export async function startApiserver(
  address: string,
  mayRun: () => void,
  progress: (reason: string) => void,
): Promise<void> {
  mayRun()
  await startStaticPod('kube-apiserver')
  try {
    mayRun()
  } catch (error) {
    await rm(manifestOf('kube-apiserver'), { force: true })
    throw error
  }
  await waitForApiserver(address, { enough: 'ready', timeoutMs: 30_000, progress })
}

/**
 * The two that need an apiserver: started sooner they would only take the processors from it. They read their
 * certificate once, when they start: with another one they are started again.
 */
export async function startControllers(): Promise<void> {
  await Promise.all(
    ['controller-manager', 'scheduler'].map(async (name) => {
      const expires = await expiryOfKubeconfig(join('/etc/kubernetes', `${name}.conf`))
      await startStaticPod(`kube-${name}`, { 'holdfast.dev/certificate-expires': expires })
    }),
  )
}

/**
 * Until the apiserver at `address` is ready, whatever `events` does, or answers at all; bounded, with the
 * last reason.
 */
export async function waitForApiserver(
  address: string,
  options: { enough: 'ready' | 'answers'; timeoutMs: number; progress?: (reason: string) => void },
): Promise<void> {
  const { enough, timeoutMs, progress = () => {} } = options
  const { kubeApi } = await import('../controlplane/api.ts')
  const [ca, cert, key] = await Promise.all(
    ['ca.crt', 'apiserver-kubelet-client.crt', 'apiserver-kubelet-client.key'].map((name) =>
      readFile(join(folders.pki, name), 'utf8'),
    ),
  )
  const api = kubeApi({
    server: `https://${address}:${ports.apiserver}`,
    ca: ca ?? '',
    cert: cert ?? '',
    key: key ?? '',
    timeoutMs: 2_000,
  })
  const deadline = performance.now() + timeoutMs
  let reason = ''
  try {
    while (performance.now() < deadline) {
      try {
        await api.rawGet(`/readyz?${healthExclusions}`)
        return
      } catch (error) {
        if (enough === 'answers' && error instanceof KubeApiError && error.status > 0) return
        reason = messageOf(error).split('\n')[0] ?? ''
        progress(`the apiserver does not answer yet: ${reason}`)
      }
      await sleep(200)
    }
  } finally {
    api.close()
  }
  throw new HoldfastError(
    'apiserver-not-ready',
    `the apiserver at ${address} was not ready within ${timeoutMs / 1000} s: ${reason}`,
  )
}
