import { expect, test } from 'vitest'
import { isUsable, type WorkerJoin } from '../../src/agent/join-token.ts'

const now = Date.parse('2030-01-01T12:00:00Z')
const expiring = (seconds: number): WorkerJoin => ({
  token: 'abcdef.0123456789abcdef',
  expires: new Date(now + seconds * 1000).toISOString(),
  server: 'https://10.0.0.254:6443',
  caPem: '',
})

test('a token is usable while there is time to join with it', () => {
  expect(isUsable(expiring(7200), now)).toBe(true)
  expect(isUsable(expiring(61), now)).toBe(true)
})

test('one that ends within a minute, has ended, or is not there, is not', () => {
  expect(isUsable(expiring(60), now)).toBe(false)
  expect(isUsable(expiring(-1), now)).toBe(false)
  expect(isUsable(undefined, now)).toBe(false)
})

test('nor is one whose end nobody can read', () => {
  expect(isUsable({ ...expiring(7200), expires: 'tomorrow' }, now)).toBe(false)
})
