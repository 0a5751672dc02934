import { expect, test } from 'vitest'
import { listAssets } from '../../src/assets/list.ts'
import { componentVersions } from '../../src/assets/versions.ts'
import { scratch } from './scratch.ts'

test('an empty cache lists everything as absent, and is left empty', async () => {
  const cache = await scratch()

  const listed = await listAssets({ kubernetesVersion: 'v1.36.3', cache })

  expect(listed.map((asset) => asset.name)).toEqual([
    'machine-root',
    'pause',
    'kubernetes',
    'etcd',
    'containerd',
    'coredns',
    'cni',
    'probe',
    'images',
    'bin',
    'containerd-template',
  ])
  expect(listed.every((asset) => !asset.present && asset.bytes === undefined)).toBe(true)
  expect(listed.find((asset) => asset.name === 'etcd')?.path).toContain(
    `${cache}/assets/etcd/${componentVersions('1.36.3').etcd}-`,
  )
})

test('a version without assets is refused, and the others are named', () => {
  expect(() => componentVersions('1.20.0')).toThrow(
    expect.objectContaining({
      code: 'kubernetes-version-unsupported',
      remedy: expect.stringContaining('1.36.3'),
    }),
  )
})
