import { defineConfig } from 'vitest/config'
import { InOrder } from './test/e2e/support/in-order.ts'

const oneAtATime = { fileParallelism: false, testTimeout: 300_000, hookTimeout: 900_000 }

export default defineConfig({
  test: {
    sequence: { sequencer: InOrder },
    // Most of the time the unit tests wait for processes and time-outs: more of them than processors.
    maxWorkers: 3,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/e2e/**'],
          globalSetup: 'test/temporary-folder.ts',
          testTimeout: 60_000,
          // Loading the sources again for each file would take more than half of the time.
          isolate: false,
        },
      },
      // Parts of it on a real kernel, each with machines of its own.
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          exclude: ['test/e2e/[0-9]*'],
          globalSetup: 'test/temporary-folder.ts',
          ...oneAtATime,
        },
      },
      // One real cluster that all of these files share, in the order of their numbers.
      {
        test: {
          name: 'cluster',
          include: ['test/e2e/[0-9]*.test.ts'],
          globalSetup: 'test/e2e/support/global-setup.ts',
          setupFiles: 'test/e2e/support/setup.ts',
          ...oneAtATime,
          // What follows a failure would fail for it.
          bail: 1,
        },
      },
    ],
  },
})
