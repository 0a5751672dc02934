/**
 * Adds up what `scripts/test.sh` left in a folder: what failed, once more and why, for whoever sees only the end of a
 * long log, and `N passed, N failed` as the last line.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'

interface VitestReport {
  numPassedTests: number
  numFailedTests: number
  numPendingTests: number
  testResults: TestFile[]
}

interface TestFile {
  name: string
  status: string
  /** Why the file could not be loaded, or a hook failed. */
  message: string
  assertionResults: { status: string; fullName: string; failureMessages: string[] }[]
}

/** The first lines of an error say what is wrong; what follows is shown above. */
const reasonLines = 15

function tell(name: string, what: string, reason: string): void {
  console.log(`failed: ${relative('.', name)}: ${what}`)
  const lines = reason.split('\n').filter((line) => !line.includes('/node_modules/'))
  for (const line of lines.slice(0, reasonLines)) console.log(`  ${line}`)
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
    for (const file of report.testResults.filter(({ status }) => status === 'failed')) {
      const tests = file.assertionResults.filter(({ status }) => status === 'failed')
      for (const test of tests) tell(file.name, test.fullName, test.failureMessages.join('\n'))
      if (tests.length === 0) tell(file.name, 'the file itself', file.message)
      // A file that could not even be loaded has no tests to count, but is a failure.
      if (file.assertionResults.length === 0) failed += 1
    }
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
