import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { localHost } from '../../src/hosts/local.ts'
import { hostConformance } from '../conformance/host.ts'

hostConformance('local', async () => ({
  host: localHost(),
  folder: await mkdtemp(join(tmpdir(), 'hf-host-')),
}))
