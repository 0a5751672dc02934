import { chownSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { mergeKubeconfig, removeFromKubeconfig } from '../../src/pki/kubeconfig-file.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hf-kube-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const caller = { uid: 4_000_001, gid: 4_000_002 }
const entry = {
  cluster: 'demo',
  user: 'demo',
  context: 'demo',
  server: 'https://10.9.0.2:6443',
  caPem: 'ca',
  certPem: 'cert',
  keyPem: 'key',
}
const owner = (...path: string[]) => {
  const { uid, gid } = statSync(join(folder, ...path))
  return { uid, gid }
}

describe.runIf(process.geteuid?.() === 0)('whose a kubeconfig is under sudo', () => {
  test('folder and file that are made are the caller’s', async () => {
    await mergeKubeconfig(join(folder, '.kube', 'config'), entry, caller)

    expect(owner('.kube')).toEqual(caller)
    expect(owner('.kube', 'config')).toEqual(caller)
    expect(owner()).toEqual({ uid: 0, gid: 0 })
  })

  test('those that were there stay whose they were', async () => {
    const other = { uid: 4_000_003, gid: 4_000_004 }
    const file = join(folder, '.kube', 'config')
    mkdirSync(join(folder, '.kube'))
    writeFileSync(file, '')
    chownSync(file, other.uid, other.gid)

    await mergeKubeconfig(file, entry, caller)
    expect(owner('.kube', 'config')).toEqual(other)
    await removeFromKubeconfig(file, 'demo')

    expect(owner('.kube', 'config')).toEqual(other)
    expect(owner('.kube')).toEqual({ uid: 0, gid: 0 })
  })
})
