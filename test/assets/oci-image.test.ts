import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { layerOf } from '../../src/assets/images.ts'
import { writeImage } from '../../src/assets/oci-image.ts'
import { scratch } from './scratch.ts'

const sha256 = (content: Buffer) => createHash('sha256').update(content).digest('hex')

async function imageOf(dir: string) {
  const program = join(dir, 'program')
  await writeFile(program, 'a program'.repeat(1000))
  const layer = await layerOf([['usr/local/bin/program', program]])
  const file = join(dir, 'image.tar')
  await writeImage(
    { reference: 'registry.example/some/program:v1', layer, entrypoint: ['/usr/local/bin/program'] },
    file,
  )
  return { program, file }
}

const member = (file: string, name: string): Buffer =>
  execFileSync('tar', ['-xOf', file, name], { maxBuffer: 1e8 })

const json = (content: Buffer) => JSON.parse(content.toString()) as Record<string, never>

test('every digest of the layout is that of its blob', async () => {
  const { file } = await imageOf(await scratch())
  const blob = ({ digest, size }: { digest: string; size: number }) => {
    const content = member(file, `blobs/${digest.replace(':', '/')}`)
    expect(`sha256:${sha256(content)}`).toBe(digest)
    expect(content.length).toBe(size)
    return content
  }

  const index = json(member(file, 'index.json')) as unknown as {
    manifests: [{ digest: string; size: number; annotations: Record<string, string> }]
  }
  const manifest = json(blob(index.manifests[0])) as unknown as {
    config: { digest: string; size: number }
    layers: [{ digest: string; size: number }]
  }
  const config = json(blob(manifest.config))
  blob(manifest.layers[0])

  expect(index.manifests[0].annotations['io.containerd.image.name']).toBe('registry.example/some/program:v1')
  expect(config).toMatchObject({
    os: 'linux',
    config: { Entrypoint: ['/usr/local/bin/program'], Env: [expect.stringMatching(/^PATH=\/usr\/local/)] },
    rootfs: { diff_ids: [manifest.layers[0].digest] },
  })
})

test('the system’s tar reads the layer: folders before files, executable, of nobody in particular', async () => {
  const dir = await scratch()
  const { file } = await imageOf(dir)
  const manifest = json(member(file, 'index.json')) as unknown as { manifests: [{ digest: string }] }
  const { layers } = json(
    member(file, `blobs/${manifest.manifests[0].digest.replace(':', '/')}`),
  ) as unknown as { layers: [{ digest: string }] }

  await writeFile(join(dir, 'layer.tar'), member(file, `blobs/${layers[0].digest.replace(':', '/')}`))
  const listing = execFileSync('tar', ['--numeric-owner', '-tvf', join(dir, 'layer.tar')], {
    env: { ...process.env, TZ: 'UTC' },
  }).toString()

  const lines = listing.trim().split('\n')
  expect(lines.map((line) => line.split(' ').at(-1))).toEqual([
    'etc/',
    'tmp/',
    'usr/',
    'usr/local/',
    'usr/local/bin/',
    'var/',
    'var/lib/',
    'usr/local/bin/program',
  ])
  expect(lines.at(-1)).toMatch(/^-rwxr-xr-x 0\/0\s+9000 1970-01-01 00:00/)
  expect(lines[1]).toMatch(/^drwxrwxrwt/)
})

test('the same program gives the same bytes, whatever its times', async () => {
  const first = await imageOf(await scratch())
  const dir = await scratch()
  const second = await imageOf(dir)

  await utimes(second.program, 1, 1)
  await writeImage(
    {
      reference: 'registry.example/some/program:v1',
      layer: await layerOf([['usr/local/bin/program', second.program]]),
      entrypoint: ['/usr/local/bin/program'],
    },
    second.file,
  )

  expect((await stat(first.file)).size).toBe((await stat(second.file)).size)
  expect(sha256(await readFile(second.file))).toBe(sha256(await readFile(first.file)))
})
