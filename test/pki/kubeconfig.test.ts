import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { type KubeconfigInput, kubeconfigEntryName, renderKubeconfig } from '../../src/pki/kubeconfig.ts'
import {
  kubeconfigFiles,
  kubeconfigTarget,
  mergeKubeconfig,
  proveKubeconfig,
  removeFromKubeconfig,
} from '../../src/pki/kubeconfig-file.ts'

let folder = ''
let file = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hf-kube-'))
  file = join(folder, 'config')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const entry = (cluster: string, server = 'https://10.9.0.2:6443'): KubeconfigInput => {
  const name = kubeconfigEntryName(cluster)
  return { cluster: name, user: name, context: name, server, caPem: 'ca', certPem: 'cert', keyPem: 'key' }
}

const foreign = `# my clusters, do not lose
apiVersion: v1
kind: Config
clusters:
- name: prod # the important one
  cluster: {server: "https://prod:6443", extra: 012}
- cluster:
    server: https://old
  name: kind-x
contexts:
- {name: prod, context: {cluster: prod, user: me, namespace: 'n'}}
users:
  - name: me
    user:
      exec:   # a plugin
        command: aws
        args: [ "eks", "get-token" ]
current-context: prod
preferences: {}
`

const read = (path = file) => parse(readFileSync(path, 'utf8'))
const names = (list: { name: string }[]) => list.map((item) => item.name)

describe('a kubeconfig file', () => {
  test('renders whole', () => {
    const config = parse(renderKubeconfig(entry('demo')))

    expect(config).toMatchObject({ apiVersion: 'v1', kind: 'Config', 'current-context': 'holdfast-demo' })
    expect(config.clusters[0].cluster).toEqual({
      server: 'https://10.9.0.2:6443',
      'certificate-authority-data': Buffer.from('ca').toString('base64'),
    })
    expect(config.contexts[0].context).toEqual({ cluster: 'holdfast-demo', user: 'holdfast-demo' })
  })

  test('is made where there is none, 0600 in a 0700 folder', async () => {
    const path = join(folder, '.kube', 'config')
    await mergeKubeconfig(path, entry('demo'))

    expect(read(path)).toMatchObject({ 'current-context': 'holdfast-demo', apiVersion: 'v1', kind: 'Config' })
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(statSync(join(folder, '.kube')).mode & 0o777).toBe(0o700)
    expect(readdirSync(join(folder, '.kube'))).toEqual(['config'])
  })

  test.each(['', '# only a comment\n', '{}', 'clusters: []\nusers: []\ncontexts: null\n'])(
    'that is as good as empty (%j) is filled',
    async (text) => {
      writeFileSync(file, text)
      await mergeKubeconfig(file, entry('demo'))

      expect(names(read().clusters)).toEqual(['holdfast-demo'])
      expect(names(read().contexts)).toEqual(['holdfast-demo'])
      expect(names(read().users)).toEqual(['holdfast-demo'])
    },
  )

  test('merged and removed again, everything of the user is as before', async () => {
    writeFileSync(file, foreign)
    const before = read()
    await mergeKubeconfig(file, entry('demo'))
    expect(names(read().clusters)).toEqual(['prod', 'kind-x', 'holdfast-demo'])
    expect(read()['current-context']).toBe('holdfast-demo')

    expect(await removeFromKubeconfig(file, 'holdfast-demo')).toBe(true)

    expect(read()).toEqual({ ...before, 'current-context': '' })
    const text = readFileSync(file, 'utf8')
    for (const kept of ['# my clusters, do not lose', '# the important one', '# a plugin', 'extra: 012'])
      expect(text).toContain(kept)
  })

  test('merging twice replaces in place and adds nothing', async () => {
    writeFileSync(file, foreign)
    await mergeKubeconfig(file, entry('demo'))
    await mergeKubeconfig(file, entry('other'))
    await mergeKubeconfig(file, entry('demo', 'https://10.9.0.9:6443'))

    expect(names(read().clusters)).toEqual(['prod', 'kind-x', 'holdfast-demo', 'holdfast-other'])
    expect(read().clusters[2].cluster.server).toBe('https://10.9.0.9:6443')
    expect(read()['current-context']).toBe('holdfast-demo')
  })

  test('removing what is not there writes nothing', async () => {
    writeFileSync(file, foreign)
    const before = statSync(file).ino

    expect(await removeFromKubeconfig(file, 'holdfast-demo')).toBe(false)
    expect(await removeFromKubeconfig(join(folder, 'none'), 'holdfast-demo')).toBe(false)
    expect(statSync(file).ino).toBe(before)
    expect(readFileSync(file, 'utf8')).toBe(foreign)
    expect(readdirSync(folder)).toEqual(['config'])
  })

  test('that is broken and does not name what goes is left alone', async () => {
    writeFileSync(file, 'clusters: [')

    expect(await removeFromKubeconfig(file, 'holdfast-demo')).toBe(false)
    writeFileSync(file, 'clusters: [holdfast-demo')
    await expect(removeFromKubeconfig(file, 'holdfast-demo')).rejects.toMatchObject({
      code: 'kubeconfig-broken',
    })
  })

  test.each([
    ['broken', 'contexts: [holdfast-demo2, holdfast-demo.x'],
    ['locked', 'contexts: [{ name: holdfast-demo2, context: {} }] # not holdfast-demo\n'],
  ])('that is %s and has only a longer name is left alone', async (_, text) => {
    writeFileSync(file, text)
    writeFileSync(`${file}.lock`, '')

    expect(await removeFromKubeconfig(file, 'holdfast-demo')).toBe(false)
    expect(readFileSync(file, 'utf8')).toBe(text)
  })

  test.each([
    ['clusters: [', 'YAML'],
    ['- a\n- b\n', 'no mapping'],
    ['clusters: {a: 1}\n', '"clusters" is no list'],
    ['just words', 'no mapping'],
  ])('that is broken (%j) gives a clear error and stays as it is', async (text) => {
    writeFileSync(file, text)

    await expect(mergeKubeconfig(file, entry('demo'))).rejects.toMatchObject({
      code: 'kubeconfig-broken',
      message: expect.stringContaining(file),
    })
    expect(readFileSync(file, 'utf8')).toBe(text)
    expect(readdirSync(folder)).toEqual(['config'])
  })

  test('in JSON stays JSON', async () => {
    writeFileSync(
      file,
      JSON.stringify({ apiVersion: 'v1', kind: 'Config', clusters: [{ name: 'p', cluster: {} }] }),
    )
    await mergeKubeconfig(file, entry('demo'))

    expect(names(read().clusters)).toEqual(['p', 'holdfast-demo'])
  })

  test('behind a symbolic link is changed where it is', async () => {
    mkdirSync(join(folder, 'real'))
    writeFileSync(join(folder, 'real', 'config'), foreign)
    symlinkSync('real/config', file)
    await mergeKubeconfig(file, entry('demo'))

    expect(lstatSync(file).isSymbolicLink()).toBe(true)
    expect(names(read(join(folder, 'real', 'config')).clusters)).toContain('holdfast-demo')
  })

  test('keeps every one of twelve merges at the same time', async () => {
    writeFileSync(file, foreign)
    await Promise.all(Array.from({ length: 12 }, (_, i) => mergeKubeconfig(file, entry(`c${i}`))))

    expect(read().clusters).toHaveLength(14)
    expect(readdirSync(folder)).toEqual(['config'])
  })
})

describe('whether a kubeconfig file can be changed is found out', () => {
  test.each([
    ['of one that is there', foreign],
    ['of one in a folder that is not there yet', undefined],
  ])('%s without a change', async (_, text) => {
    const path = text === undefined ? join(folder, 'none', 'yet', 'config') : file
    if (text !== undefined) writeFileSync(file, text)
    const before = readdirSync(folder)

    await proveKubeconfig(path)

    expect(readdirSync(folder)).toEqual(before)
    if (text !== undefined) expect(readFileSync(file, 'utf8')).toBe(text)
  })

  test.each([
    ['clusters: [', 'kubeconfig-broken'],
    ['', 'kubeconfig-not-writable'],
  ])('of one that cannot (%j): %s', async (text, code) => {
    writeFileSync(file, text)
    const paths = code === 'kubeconfig-broken' ? [file] : [join(file, 'config'), '/proc/none/config', folder]

    for (const path of paths) {
      const refusal = { code, message: expect.stringContaining(path) }
      await expect(proveKubeconfig(path)).rejects.toMatchObject(refusal)
      await expect(mergeKubeconfig(path, entry('demo'))).rejects.toMatchObject(refusal)
    }
    expect(readFileSync(file, 'utf8')).toBe(text)
    expect(readdirSync(folder)).toEqual(['config'])
  })

  test('by waiting for whoever changes it', async () => {
    writeFileSync(`${file}.lock`, '', { mode: 0 })
    setTimeout(() => rmSync(`${file}.lock`), 100)

    await proveKubeconfig(file)

    expect(readdirSync(folder)).toEqual([])
  })
})

describe('the lock of a kubeconfig file', () => {
  test("kubectl's lock is waited for", async () => {
    writeFileSync(`${file}.lock`, '', { mode: 0 })
    setTimeout(() => rmSync(`${file}.lock`), 100)

    await mergeKubeconfig(file, entry('demo'))

    expect(names(read().clusters)).toEqual(['holdfast-demo'])
  })

  test('a lock of ours whose process was killed is removed', async () => {
    const child = spawn('true')
    await once(child, 'exit')
    writeFileSync(`${file}.lock`, `holdfast ${child.pid} 12345 abc\n`)

    await mergeKubeconfig(file, entry('demo'))

    expect(readdirSync(folder)).toEqual(['config'])
  })
})

describe('which file', () => {
  test('KUBECONFIG may name several; without it, the one in the home', () => {
    expect(kubeconfigFiles({ KUBECONFIG: '/a::/b' }, '/home/u')).toEqual(['/a', '/b'])
    expect(kubeconfigFiles({}, '/home/u')).toEqual(['/home/u/.kube/config'])
    expect(kubeconfigFiles({ KUBECONFIG: '' }, '/home/u')).toEqual(['/home/u/.kube/config'])
  })

  test('as kubectl: the first that is there, else the last', async () => {
    const files = ['x', 'y', 'z'].map((name) => join(folder, name))
    expect(await kubeconfigTarget(files)).toBe(files[2])

    writeFileSync(files[1] ?? '', '')

    expect(await kubeconfigTarget(files)).toBe(files[1])
  })
})
