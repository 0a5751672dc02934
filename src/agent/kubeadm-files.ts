import { rm } from 'node:fs/promises'
import { dirname, isAbsolute, join } from 'node:path'
import { certificateInfo, isIssuedBy, verifyPair } from '../pki/certificates.ts'
import { readIfThere } from './files.ts'
import { parseYaml } from './yaml.ts'

/** kubeadm's certificates on a master, and who signs them. */
const certificates = [
  { name: 'apiserver', authority: 'ca' },
  { name: 'apiserver-kubelet-client', authority: 'ca' },
  { name: 'front-proxy-client', authority: 'front-proxy-ca' },
] as const

const kubeconfigs = [
  'admin.conf',
  'super-admin.conf',
  'kubelet.conf',
  'controller-manager.conf',
  'scheduler.conf',
] as const

/** Made again when less than this is left. */
const renewBeforeMs = 90 * 24 * 3600 * 1000

/**
 * Takes away what kubeadm would stumble over, or keep although it cannot work: kubeadm writes a key, then its
 * certificate, neither aside nor synced, and never looks whether those it finds belong together. A machine
 * that is switched off in between would not come up again. Gone is also what has nearly run out.
 *
 * @param root `/etc/kubernetes`, whose `pki` holds the authorities already
 * @returns the names of what was taken away
 */
export async function removeHalfWritten(root: string, now = Date.now()): Promise<string[]> {
  const pki = join(root, 'pki')
  const removed: string[] = []
  const remove = async (...paths: string[]): Promise<void> => {
    await Promise.all(paths.map((path) => rm(path, { force: true })))
    removed.push(...paths.map((path) => path.slice(root.length + 1)))
  }
  const authority = (name: string): Promise<string | undefined> => readIfThere(join(pki, `${name}.crt`))
  for (const { name, authority: signer } of certificates) {
    const paths = ['crt', 'key'].map((ending) => join(pki, `${name}.${ending}`))
    const [certPem, keyPem] = await Promise.all(paths.map(readIfThere))
    if (certPem === undefined && keyPem === undefined) continue
    if (!isUsable(certPem, keyPem, await authority(signer), now)) await remove(...paths)
  }
  for (const name of kubeconfigs) {
    const path = join(root, name)
    const text = await readIfThere(path)
    if (text === undefined) continue
    const [certPem, keyPem] = await credentials(path, text)
    if (!isUsable(certPem, keyPem, await authority('ca'), now)) await remove(path)
  }
  return removed
}

/** Whether everything is there that a master needs for as long as it runs. */
export async function isComplete(root: string): Promise<boolean> {
  const needed = [
    ...certificates.flatMap(({ name }) => [`pki/${name}.crt`, `pki/${name}.key`]),
    ...kubeconfigs.filter((name) => name !== 'super-admin.conf'),
  ]
  const found = await Promise.all(needed.map((name) => readIfThere(join(root, name))))
  return found.every(Boolean)
}

/** Whether key and certificate belong together, are of this authority, and last a while yet. */
export function isUsable(
  certPem: string | undefined,
  keyPem: string | undefined,
  authorityPem: string | undefined,
  now = Date.now(),
): boolean {
  if (!certPem || !keyPem || !authorityPem || !verifyPair(certPem, keyPem)) return false
  return (
    isIssuedBy(certPem, authorityPem) && certificateInfo(certPem).notAfter.getTime() - now > renewBeforeMs
  )
}

/** When the certificate in a kubeconfig runs out, as ISO 8601; another one runs out at another time. */
export async function expiryOfKubeconfig(path: string): Promise<string> {
  const [certPem] = await credentials(path, (await readIfThere(path)) ?? '')
  if (!certPem) throw new Error(`${path} holds no certificate`)
  return certificateInfo(certPem).notAfter.toISOString()
}

interface Kubeconfig {
  'current-context'?: string
  users?: {
    user?: {
      'client-certificate-data'?: string
      'client-key-data'?: string
      'client-certificate'?: string
      'client-key'?: string
    }
  }[]
}

/** Certificate and key of a kubeconfig's user; nothing where it is cut off. */
async function credentials(path: string, text: string): Promise<(string | undefined)[]> {
  let parsed: Kubeconfig | undefined
  try {
    parsed = parseYaml(text) as Kubeconfig | undefined
  } catch {
    return []
  }
  const user = parsed?.['current-context'] ? parsed.users?.[0]?.user : undefined
  const read = async (data: string | undefined, file: string | undefined): Promise<string | undefined> => {
    if (data) return Buffer.from(data, 'base64').toString('utf8')
    return file && readIfThere(isAbsolute(file) ? file : join(dirname(path), file))
  }
  return Promise.all([
    read(user?.['client-certificate-data'], user?.['client-certificate']),
    read(user?.['client-key-data'], user?.['client-key']),
  ])
}
