import { readFile, rm, symlink } from 'node:fs/promises'
import { parseDocument } from 'yaml'
import { readIfThere, writeDurably } from './files.ts'
import { isUsable } from './kubeadm-files.ts'

/**
 * kubeadm embeds kubelet's first certificate in kubelet.conf, where nothing would ever rotate it, and
 * mends that later with a restart of kubelet (`kubelet-finalize`). Done before the first start instead.
 *
 * @param files.pem `kubelet-client-current.pem`, which kubelet itself makes a link to its newest certificate and key
 */
export async function useRotatingCertificate(files: {
  kubeletConf: string
  pem: string
  authority: string
}): Promise<void> {
  const { kubeletConf, pem } = files
  const document = parseDocument(await readFile(kubeletConf, 'utf8'))
  const user = ['users', 0, 'user']
  const cert = document.getIn([...user, 'client-certificate-data'])
  const key = document.getIn([...user, 'client-key-data'])
  if (typeof cert !== 'string' || typeof key !== 'string') return
  const present = await readIfThere(pem)
  if (!present || !isUsable(present, present, await readIfThere(files.authority))) {
    const first = pem.replace('current', 'first')
    await writeDurably(first, `${decode(cert)}${decode(key)}`)
    await rm(pem, { force: true })
    await symlink(first, pem)
  }
  document.setIn(user, { 'client-certificate': pem, 'client-key': pem })
  await writeDurably(kubeletConf, document.toString())
}

const decode = (base64: string): string => Buffer.from(base64, 'base64').toString('utf8')
