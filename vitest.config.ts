import { defineConfig } from 'vitest/config'
import { InOrder } from './test/e2e/support/in-order.ts'

/** They start real processes or servers and wait for them: among the unit tests they would take a third of the time. */
const ofProcesses = [
  'test/assets/command.test.ts',
  'test/assets/host-packages.test.ts',
  'test/cli/start-script.test.ts',
  'test/clouds/local/client.test.ts',
  'test/clouds/local-acting/{firewalld,network}.test.ts',
  'test/drills/{kill-master,workload}.test.ts',
  'test/etcd/client.test.ts',
  'test/store/process-lock.test.ts',
]

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
          exclude: ['test/e2e/**', ...ofProcesses],
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
          include: ['test/e2e/**/*.test.ts', ...ofProcesses],
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
