/** Takes the lock at FOLDER, says so, and keeps it until it is killed. Started by process-lock.test.ts. */
import { processLock } from '../../src/store/process-lock.ts'

await processLock(process.argv[2] ?? '').run(async () => {
  process.stdout.write('held\n')
  await new Promise((resolve) => setTimeout(resolve, 60_000))
})
