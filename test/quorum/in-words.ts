import type { MemberStep } from '../../src/quorum/member.ts'

/** A step as the test data writes it. */
export function inWords(step: MemberStep): string {
  const what =
    'ids' in step ? ` ${step.ids.join(',')}` : 'founders' in step ? ` ${step.founders.join(',')}` : ''
  return `${step.do}${what}${'changesRefused' in step ? ' (changes refused)' : ''}: ${step.reason}`
}
