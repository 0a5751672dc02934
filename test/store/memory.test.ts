import { openMemoryStore } from '../../src/store/memory.ts'
import { storeConformance } from '../conformance/store.ts'

storeConformance('memory', async () => openMemoryStore())
