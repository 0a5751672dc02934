import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { machineApi } from '../../../src/clouds/local/api.ts'
import { serveSocket } from '../../../src/clouds/local/api-server.ts'
import { localSurroundings } from '../../../src/clouds/local/surroundings-client.ts'
import { openMemoryStore } from '../../../src/store/memory.ts'
import { scratch } from '../../assets/scratch.ts'
import { storeConformance } from '../../conformance/store.ts'

const notAsked = () => Promise.reject(new Error('only the store is asked here'))

/** A machine's socket without a machine's rights: those are in api.test.ts. */
storeConformance('through a machine’s socket', async () => {
  const behind = openMemoryStore()
  const folder = await scratch()
  const handler = machineApi({
    machines: notAsked,
    volumes: notAsked,
    attach: notAsked,
    createVolume: notAsked,
    store: async () => behind,
  })
  const socket = await serveSocket(folder, 'cloud.sock', handler)
  onTestFinished(() => socket.close())
  return localSurroundings({ socketPath: join(folder, 'cloud.sock') }).store()
})
