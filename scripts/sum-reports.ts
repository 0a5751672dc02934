/** Adds up what `scripts/test.sh` left in a folder and prints `N passed, N failed` as the last line. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

interface VitestReport {
  numPassedTests: number
  numFailedTests: number
  numPendingTests: number
  testResults: { name: string; status: string; assertionResults: { status: string; fullName: string }[] }[]
}

const folder = process.argv[2] ?? '.'
let passed = 0
let failed = 0
let skipped = 0

for (const file of readdirSync(folder).filter((name) => name.endsWith('.status'))) {
  const name = file.slice(0, -'.status'.length)
  const ok = readFileSync(join(folder, file), 'utf8').trim() === 'passed'
  const path = join(folder, `${name}.json`)
  const failedBefore = failed
  if (existsSync(path)) {
    const report = JSON.parse(readFileSync(path, 'utf8')) as VitestReport
    passed += report.numPassedTests
    failed += report.numFailedTests
    skipped += report.numPendingTests
    // A file that could not even be loaded has no tests to count, but is a failure.
    failed += report.testResults.filter(
      (r) => r.status === 'failed' && r.assertionResults.length === 0,
    ).length
  } else if (ok) {
    passed += 1
  }
  // The whole run can fail without a failed test: an unhandled rejection, a hook, no report at all.
  if (!ok && failed === failedBefore) {
    failed += 1
    console.log(`failed: ${name}`)
  }
}

if (skipped > 0) console.log(`${skipped} not run`)
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 ? 1 : 0
